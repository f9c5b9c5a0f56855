"""What a fault is said to have cost, from a log and reports that were made up."""

import pytest

from tests.system.faults import _repeated

BEFORE = [(100.0, 1000), (100.3, 1250), (100.6, 1500)]  # then the workers end
LINE = "train goes on after {} images: 9,000 images, 2 workers on cpu"


@pytest.mark.parametrize(("kept", "again"), [("1,500", 0), ("1,508", 0), ("1,000", 500), ("0", 1500)])
@pytest.mark.parametrize("new", [[], [(120.0, 1750)], [(120.0, 1750), (120.3, 2000), (121.9, 2250)]])
def test_what_new_workers_report_before_their_line_is_read_was_not_lost(
    kept: str, again: int, new: list[tuple[float, int]]
) -> None:
    assert _repeated([(122.0, LINE.format(kept))], [*BEFORE, *new, (130.0, 4000)], 100.0, 200.0) == again


def test_every_start_counts_what_it_lost() -> None:
    reports = [*BEFORE, (120.0, 1750), (140.0, 2000)]
    lines = [(120.1, LINE.format("1,000")), (140.1, LINE.format("1,250"))]
    assert _repeated(lines, reports, 100.0, 200.0) == 500 + 500
    assert _repeated(lines, reports, 130.0, 200.0) == 500


def test_a_restart_in_which_nothing_was_reported_before_lost_nothing() -> None:
    assert _repeated([(10.0, LINE.format("0"))], [], 0.0, 20.0) == 0
