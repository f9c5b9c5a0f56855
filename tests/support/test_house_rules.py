"""The house's own rules find what they are about, and nothing else."""

from pathlib import Path

import pytest

from tests.support.house_rules import faults


@pytest.mark.parametrize(
    ("signature", "faulty"),
    [
        ("say: Callable[[str], None]", True),
        ("*, tell: Tell = unsaid", True),
        ("log: Path", False),
        ("listener: Callable[[Event], None]", False),
    ],
)
def test_messages_are_not_handed_on_by_a_parameter(signature: str, faulty: bool, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(f"def work({signature}) -> None: ...\n")
    assert [rule for _, rule in faults(tmp_path / "module.py")] == [
        f"messages go through logging, not through a parameter {signature.strip('*, ').partition(':')[0]}"
    ] * faulty


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("found = 1", []),  # a module's own
        ("def work(told): return told.said", ["told"]),
        ("def work(x):\n    for one in x: there = one", ["one", "there"]),
        ("def work(x): return [several for several in x]", ["several"]),
    ],
)
def test_local_names_say_what_a_value_is(code: str, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(f"{code}\n")
    rules = [rule for _, rule in faults(tmp_path / "module.py")]
    assert rules == [f"a local name says what a value is: {name}" for name in names]
