"""All of MLflow. Its telemetry is off, as DVC's and Ray's are; MLflow, imported later, reads this."""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
