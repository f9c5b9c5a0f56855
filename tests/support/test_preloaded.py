"""A command of the server is what `python -m` would be: folder, environment, output, exit status, end."""

import json
import signal
from pathlib import Path

import pytest

from tests.support.patience import patience
from tests.support.preloaded import Command

pytestmark = pytest.mark.slow

MODULE = """
import atexit, json, os, sys, time
atexit.register(print, "the end")
print(json.dumps([os.getcwd(), sys.argv[1:], os.environ.get("GIVEN"), "HOME" in os.environ, os.getsid(0) == os.getpid(),
                  "torch" in sys.modules, "ray" in sys.modules, "ganflow" in sys.modules]), flush=True)
{then}
"""


def run(folder: Path, then: str, *arguments: str, timeout: float = 60) -> tuple[int, list[str]]:
    (folder / "asked.py").write_text(MODULE.format(then=then))
    command = Command(["python", "-m", "asked", *arguments], folder, {"GIVEN": "yes"}, folder / "log")
    return command.wait(patience(timeout)), (folder / "log").read_text().splitlines()


def test_where_and_with_what_it_runs(tmp_path: Path) -> None:
    status, [said, end] = run(tmp_path, "", "a", "b")
    assert (status, end) == (0, "the end")
    assert json.loads(said) == [str(tmp_path), ["a", "b"], "yes", False, True, True, False, False]


@pytest.mark.parametrize(("then", "expected"), [
    ("sys.exit(3)", 3), ("sys.exit('no')", 1), ("raise ValueError", 1), ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
])  # fmt: skip
def test_how_it_ends(tmp_path: Path, then: str, expected: int) -> None:
    assert run(tmp_path, then)[0] == expected


def test_it_is_killed_at_its_deadline(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        run(tmp_path, "time.sleep(600)", timeout=3 / patience(1))
    assert "the end" not in (tmp_path / "log").read_text()
