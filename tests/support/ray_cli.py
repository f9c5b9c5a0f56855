"""`ray` as people run it, but for tests, which share the machine.

A node has as long to start as the first argument says, and its workers are forked by the server in the folder that the
second one names (:mod:`tests.support.preloaded`).
"""

import sys

from ray.scripts.scripts import main

from ganflow.cluster.session.ray_internals import quick_workers, raylet_awaited

with raylet_awaited(float(sys.argv.pop(1))), quick_workers():
    sys.executable = f"{sys.argv.pop(1)}/python"
    main()
