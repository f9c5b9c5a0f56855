"""The runtime environment of a cluster's workers: the driver's code, and the storage's place. Never a secret."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import ganflow

# Whatever version of ganflow a node has installed, workers import these from the driver.
PACKAGES = ("ganflow", "pipelines")

# Keys and tokens stay out: Ray shows a job's environment to everyone who may look at its dashboard. A node has its
# own: a role, or variables that were set where `ray start` ran.
VARIABLES = (
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
)  # fmt: skip


def runtime_env() -> dict[str, object]:
    """Ray's description of what a worker needs; empty within a Ray job, whose code travelled already."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return {}
    root = Path(ganflow.__file__).parents[1]
    # Everything that lies beside the packages stays: data, models, environments may be gigabytes.
    excludes = ["/*", "!.", *(f"!/{name}" for name in PACKAGES), "__pycache__"]
    return {"working_dir": str(root), "excludes": excludes, "env_vars": variables()}


def variables() -> dict[str, str]:
    """Variables of :data:`VARIABLES` that are set here, but for addresses that carry a password."""
    present = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return {name: value for name, value in present.items() if urlsplit(value).password is None}
