"""`ray` as people run it, but a node has as long to start as the first argument says: tests share the machine."""

import sys

from ray.scripts.scripts import main

from ganflow.cluster.session.ray_internals import raylet_awaited

with raylet_awaited(float(sys.argv.pop(1))):
    main()
