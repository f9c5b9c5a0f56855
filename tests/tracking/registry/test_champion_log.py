"""The order of champions, without a server: which changes hold, and who came before whom."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganflow.tracking.registry.champion_log import PROMOTION, ROLLBACK, Change, ancestors, valid


def change(number: int, after: int, to: int = 1, left: int | None = None, kind: str = PROMOTION) -> Change:
    return Change(
        kind, left, to, after, f"t{number}", "2026-11-21T10:00:00.000Z", "me", {"promotion": "promoted"}, number
    )


def test_a_change_is_read_as_it_was_written() -> None:
    for left in (None, 3):
        one = change(7, 2, 4, left)
        assert Change.read(7, one.written()) == one
    assert Change.read(1, {"kind": "promotion"}) is None
    assert Change.read(1, change(1, 0).written() | {"to": "x"}) is None


def test_of_two_that_follow_the_same_change_the_first_holds() -> None:
    entries = [change(1, 0), change(2, 1), change(3, 1), change(4, 3), change(6, 2), change(5, 0)]
    assert [held.number for held in valid(entries)] == [1, 2, 6]


@given(st.lists(st.integers(0, 6), max_size=8))
def test_what_held_once_holds_whatever_is_appended(afters: list[int]) -> None:
    entries = [change(number, after) for number, after in enumerate(afters, 1)]
    before: list[Change] = []
    for count in range(len(entries) + 1):
        held = valid(entries[:count])
        assert held[: len(before)] == before
        assert len(held) - len(before) in (0, 1)
        assert all(later.after == earlier.number for earlier, later in itertools.pairwise(held))
        before = held


@pytest.mark.parametrize(
    ("moves", "champion", "earlier"),
    [
        ([(None, 1)], 1, []),
        ([(None, 1), (1, 2), (2, 3)], 3, [2, 1]),
        ([(None, 1), (1, 2), (2, 3), "3>2"], 2, [1]),
        ([(None, 1), (1, 2), (2, 3), "3>2", "2>1"], 1, []),
        ([(None, 1), (1, 2), (2, 3), "3>2", (2, 4)], 4, [2, 1]),
        ([(None, 1), (1, 2), "2>1", (1, 2)], 2, [1]),  # the same version once more
        ([(None, 1), (5, 6)], 6, [5, 1]),  # 5 was set by hand
        ([(None, 1), (1, 2)], 9, [2, 1]),  # as 9 is now
        ([(None, 1), (1, 2), (2, 3)], 1, []),  # back by hand
        ([(None, 1), (1, 2), (1, 3)], 3, [1]),  # back by hand before 3
        ([(None, 1), (None, 2)], 2, [1]),  # the alias was taken away in between
        ([], 4, []),
    ],
)
def test_who_came_before(moves: list[tuple[int | None, int] | str], champion: int, earlier: list[int]) -> None:
    changes = []
    for number, move in enumerate(moves, 1):
        if isinstance(move, str):
            left, to = map(int, move.split(">"))
            changes.append(change(number, number - 1, to, left, ROLLBACK))
        else:
            changes.append(change(number, number - 1, move[1], move[0]))
    assert ancestors(changes, champion) == earlier
