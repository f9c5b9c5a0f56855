"""Ray itself: what a gang of workers does with errors, and what a cluster cannot hold."""

import time
from collections.abc import Iterator

import pytest

from ganflow.cluster.session.session import session
from ganflow.cluster.workers.controller import Work, launch
from ganflow.cluster.workers.scaling import ScalingPolicy
from ganflow.config import composition
from ganflow.config.schema import ClusterConfig
from ganflow.distributed import collectives
from ganflow.errors import ConfigError, GanflowError
from tests.support.preloaded import workers_are_forked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def ray_of_two_cpus() -> Iterator[None]:
    """One local Ray for all tests here: `session` takes a connection that is there."""
    with session(ClusterConfig()):
        import ray

        ray.shutdown()
        with workers_are_forked():
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield


def add_up(work: Work) -> None:
    """Every rank posts who it is, and what all ranks have together."""
    import torch

    mean = torch.tensor([float(collectives.rank())])
    collectives.mean_([mean])
    work.post((collectives.rank(), collectives.world_size(), mean.item(), work.payload))


def break_on_rank_1(work: Work) -> None:
    if collectives.rank() == 1:
        raise ZeroDivisionError("a defect")
    collectives.barrier()


def refuse_on_rank_1(work: Work) -> None:
    if collectives.rank() == 1:
        raise GanflowError("the data set is damaged; `dvc checkout` brings it back")
    collectives.barrier()


def test_workers_form_one_group() -> None:
    posted: list[tuple[int, int, float, str]] = []
    launch(composition.compose(["cluster.workers=2"]), "test", add_up, "payload", posted.append)
    assert sorted(posted) == [(0, 2, 0.5, "payload"), (1, 2, 0.5, "payload")]


def test_what_one_worker_refuses_ends_all_in_one_line() -> None:
    start = time.monotonic()
    with pytest.raises(GanflowError) as refused:
        launch(composition.compose(["cluster.workers=2"]), "test", refuse_on_rank_1, None, lambda item: None)
    assert str(refused.value) == "the data set is damaged; `dvc checkout` brings it back"
    assert time.monotonic() - start < 300  # gloo's own patience is half an hour


def test_a_defect_in_a_worker_keeps_its_traceback() -> None:
    with pytest.raises(GanflowError, match=r"the workers were lost: .*the same command goes on") as lost:
        launch(
            composition.compose(["cluster.workers=2", "cluster.max_failures=0"]), "test", break_on_rank_1, None, print
        )
    assert "ZeroDivisionError: a defect" in str(lost.value.__cause__)
    assert "break_on_rank_1" in str(lost.value.__cause__)


def test_a_listener_s_error_is_not_lost() -> None:
    def broken(item: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        launch(composition.compose(["cluster.workers=1"]), "test", add_up, None, broken)


def test_more_workers_than_the_cluster_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^cluster\.workers=4: the cluster has 2 CPUs for 1 each; at most 2$"):
        ScalingPolicy(ClusterConfig(workers=4), batch=128).acquire()
    with pytest.raises(ConfigError, match=r"^training\.batch=127: must be a multiple of cluster\.workers=2$"):
        ScalingPolicy(ClusterConfig(workers=2), batch=127)


@pytest.mark.parametrize(("batch", "cpus", "workers"), [(128, 1, 2), (127, 1, 1), (128, 2, 1)])
def test_auto_takes_what_there_is(batch: int, cpus: int, workers: int) -> None:
    assert ScalingPolicy(ClusterConfig(cpus_per_worker=cpus), batch).acquire() == (workers, False)


def test_auto_gives_every_worker_whole_microbatches() -> None:
    assert ScalingPolicy(ClusterConfig(), 96, 48).acquire() == (2, False)
    assert ScalingPolicy(ClusterConfig(), 96, 96).acquire() == (1, False)


def test_something_else_is_done_once_beside_the_first_attempt() -> None:
    posted: list[object] = []
    config = composition.compose(["cluster.workers=2", "cluster.max_failures=1"])
    with pytest.raises(GanflowError, match="the workers were lost"):
        launch(config, "test", break_on_rank_1, None, posted.append, beside=lambda: posted.append("beside"))
    assert posted == ["beside"]


def test_an_error_of_what_is_done_beside_ends_the_workers() -> None:
    def refused() -> None:
        raise GanflowError("MLflow does not answer")

    with pytest.raises(GanflowError, match=r"^MLflow does not answer$"):
        launch(composition.compose(["cluster.workers=2"]), "test", add_up, None, lambda item: None, beside=refused)
    test_workers_form_one_group()  # there is room for them
