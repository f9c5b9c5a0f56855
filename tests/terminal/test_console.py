import logging
import subprocess
import sys

import pytest

from ganflow.errors import ConfigError, GanflowError
from ganflow.terminal.console import entry_point

SEVERAL = """
import logging, sys, threading
from ganflow.terminal.console import entry_point
sys.setswitchinterval(1e-6)
def talk(name):
    logger = logging.LoggerAdapter(logging.getLogger("ganflow.storage"), {"who": name})
    for i in range(500):
        logger.info(f"line {i}")
@entry_point
def main():
    threads = [threading.Thread(target=talk, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
main()
"""

BAR = """
import logging, sys, time
from tqdm import tqdm
from ganflow.terminal.messages import shown
with shown(), tqdm(total=4, file=sys.stderr, mininterval=0) as bar:
    bar.update()
    logging.getLogger(__name__).info("MLflow does not answer")
    bar.update()
"""


def test_lines_of_several_threads_stay_whole() -> None:
    told = subprocess.run([sys.executable, "-c", SEVERAL], capture_output=True, text=True, check=True).stderr
    lines = told.splitlines()
    for name in "abcd":
        assert [line for line in lines if line.startswith(name)] == [f"{name}: line {i}" for i in range(500)]
    assert len(lines) == 2000


def test_a_line_stands_above_the_bar() -> None:
    told = subprocess.run([sys.executable, "-c", BAR], capture_output=True, check=True).stderr.decode()
    before, line, after = told.partition("ganflow: MLflow does not answer\n")
    assert line
    assert before.endswith("\r")  # the bar was wiped, and the cursor stands where its line began
    assert "1/4" in before
    assert "2/4" in after


@pytest.mark.usefixtures("messages")
def test_a_line_has_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("ganflow.storage")
    logger.info("http://me:hunter2@host:5000 does not answer, at 100%")
    logging.LoggerAdapter(logger, {"who": "tune"}).info("http://me:hunter2@host:5000 does not answer")
    lines = ["ganflow: http://***@host:5000 does not answer, at 100%", "tune: http://***@host:5000 does not answer"]
    assert capsys.readouterr().err.splitlines() == lines


def test_records_of_other_packages_are_not_shown_and_none_is_shown_twice() -> None:
    code = """
import logging, sys
from ganflow.terminal.console import entry_point
logging.basicConfig(level=logging.ERROR)
@entry_point
def main():
    logging.getLogger("mlflow").warning("theirs")
    for name in ("ganflow.storage", "pipelines.train", "__main__"):
        logging.getLogger(name).error("ours")
main()
logging.getLogger("ganflow.storage").info("nothing after the end")
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("", "ganflow: ours\n" * 3)


def test_entry_point_ends_a_ganflow_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    @entry_point
    def main() -> None:
        raise GanflowError("data is missing; `dvc repro prepare` makes it")

    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == "ganflow: data is missing; `dvc repro prepare` makes it\n"


def test_entry_point_tells_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    @entry_point
    def main() -> None:
        raise ConfigError("tracking.uri", "http://me:hunter2@host:5000", "does not answer")

    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "ganflow: tracking.uri=http://***@host:5000: does not answer\n"


def test_entry_point_leaves_programming_errors_alone() -> None:
    @entry_point
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "ganflow: an argument is missing; see --help\n"),
        (("0-4", "seed=1"), "ganflow: unexpected: 0-4 seed=1; see --help\n"),
    ],
)
def test_entry_point_refuses_what_main_does_not_take(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @entry_point
    def main(seeds: str) -> None:
        raise AssertionError(seeds)

    with pytest.raises(SystemExit) as stop:
        main(*arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("stage", ["prepare", "tune", "train", "evaluate", "register"])
def test_a_stage_tells_what_it_is_and_takes_no_arguments(stage: str) -> None:
    command = [sys.executable, "-m", f"pipelines.{stage}"]
    help_ = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert help_.stdout.startswith(f"Stage ``{stage}``: ")
    refused = subprocess.run([*command, "training.kimg=3"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr == "ganflow: unexpected: training.kimg=3; see --help\n"


ENDS = """
import atexit
from ganflow.terminal.console import entry_point
class Cycle:
    def __init__(self): self.me = self
    def __del__(self): print("collected")
@entry_point
def main():
    global cycle
    cycle = Cycle()
    atexit.register(print, "the end")
main()
"""


def test_a_command_s_end_looks_for_no_cycles() -> None:
    """In what a stage has loaded that takes seconds; what is to be done at the end is done."""
    run = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True)
    assert run.stdout == "the end\n"
