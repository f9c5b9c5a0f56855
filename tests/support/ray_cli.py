"""`ray` as people run it, but for tests, which share the machine.

A node has as long to start as the first argument says, and its workers are run by the Python that the second one names.
"""

import sys

from ray.scripts.scripts import main

from ganflow.cluster.session.ray_internals import quick_workers, raylet_awaited

with raylet_awaited(float(sys.argv.pop(1))), quick_workers():
    sys.executable = sys.argv.pop(1)
    main()
