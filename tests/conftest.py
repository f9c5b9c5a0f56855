"""Before torch is loaded: one thread per process, for there are several processes and the networks are small."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
