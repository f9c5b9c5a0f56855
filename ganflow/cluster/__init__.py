"""Ray: training, search, evaluation and serving on one machine or many. The only home of ``import ray``.

What Ray Train does, and what is done here
------------------------------------------

Ray Train starts the workers of one attempt as actors in a placement group, gives each its rank and device, starts
torch's process group among them, polls whether they live, and ends them all when one fails. That is used as it is
(:mod:`ganflow.cluster.workers.controller`, :mod:`ganflow.cluster.workers.process_group`). Ray Tune draws
configurations and stops bad trials by ASHA (:mod:`ganflow.cluster.jobs.ray_tune`), Ray Serve runs replicas.

Four parts of Ray Train are not used, by what was seen on Ray 2.60 and read in its source:

``report`` and its checkpoints
    ``report`` is a barrier of all ranks, and the controller takes one each 1.8 s; its list of checkpoints is not
    replaced atomically on a local disk, so that a torn write makes a run unresumable. Here events go through one
    actor that no rank waits for (:mod:`ganflow.cluster.workers.channel`), and a checkpoint's name carries its
    checksum (:mod:`ganflow.training.checkpoints.checkpoint`).
``FailureConfig``
    It counts the failures of a whole run, so a run of days on spot nodes ends by its budget, however much it saves in
    between; and it resumes by name alone, so that a changed learning rate goes on with the old run. Here losses count
    that have no checkpoint in between, and a run's name is a hash of all that its weights depend on.
    ``max_failures=0`` leaves one attempt to Ray.
elastic ``ScalingConfig(num_workers=(least, most))``
    After a node was killed it first asked for the old size again, on reservations that were gone, and trained after
    44 s; so the next attempt's size is chosen here, from the nodes that answer. Its world size is the number of
    workers, so the batch statistics and sums of a run change with it; here the batch is cut into the same parts
    whichever worker computes them.
``get_preemption_info``
    It tells every rank of a drain with a deadline, but nothing in Ray listens to a cloud's notice. The agent
    (:mod:`ganflow.cluster.preemption.agent`) drains the node at a notice or SIGTERM; all ranks then save at one step
    and leave, which the same channel asks for as Ctrl-C does.

Rooms
-----

``session`` connects to a cluster, or starts one of its own, whose workers are forks of a process that has loaded what
they import (:mod:`ganflow.cluster.session.fork_server`); ``workers`` runs one function in all ranks to its
end; ``jobs`` are those functions; ``preemption`` runs on nodes that may go; ``doctor`` examines a cluster before a
run is paid for; ``session.ray_internals`` holds what is private in Ray.
"""
