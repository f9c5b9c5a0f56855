"""Objects and barriers beside NCCL go by a group of their own, from host to host."""

from datetime import timedelta
from unittest.mock import patch

import torch
import torch.distributed as dist

from ganflow.distributed import collectives
from tests.support.ranks import on_ranks


def beside_nccl() -> dict[str, object]:
    """What comes through the group, as if the default one were NCCL's."""
    made = []
    new_group = dist.new_group

    def noted(**options: object) -> dist.ProcessGroup:
        made.append(options)
        return new_group(**options)  # type: ignore[arg-type]

    rank = collectives.rank()
    with patch.object(dist, "get_backend", lambda: "nccl"), patch.object(dist, "new_group", noted):
        told = {
            "objects": collectives.gather_objects({"rank": rank}),
            "first": collectives.from_rank_0(lambda: torch.tensor([rank])).tolist(),
        }
        collectives.barrier()
    return {**told, "made": made}


def test_objects_and_barriers_have_a_group_of_gloo_beside_nccl() -> None:
    once = {"backend": "gloo", "timeout": timedelta(hours=6)}
    for told in on_ranks(2, beside_nccl):
        assert told == {"objects": [{"rank": 0}, {"rank": 1}], "first": [0], "made": [once]}


def with_gloo() -> bool:
    return collectives._of_hosts() is None


def test_gloo_needs_no_other() -> None:
    assert on_ranks(2, with_gloo) == [True, True]
