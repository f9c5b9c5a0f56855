import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ganflow.tracking.runs.run_events import Artifact, Event, Point
from ganflow.tracking.runs.spool import ABOUT, CONTENT, DELIVERED, EVENTS, About, Spool, spools
from tests.support.patience import patience

SOME = About("r1", "f00d", "http://127.0.0.1:1", 17)


def points(count: int, first: int = 0) -> list[Event]:
    return [Point("loss", i / 3, i, 10**12 + i) for i in range(first, first + count)]


def opened(folder: Path, about: About = SOME) -> Spool:
    spool = Spool(folder, about)
    spool.open()
    return spool


def drain(spool: Spool, most: int = 7) -> list[Event]:
    out: list[Event] = []
    while spool.left:
        out += spool.read(most)
        spool.acknowledge()
    return out


def test_events_come_back_as_they_were_put_and_only_once(tmp_path: Path) -> None:
    spool = opened(tmp_path / "r1")
    events = [*points(9), Artifact("samples/ü.png", bytes(range(256))), Artifact("w.txt", b""), *points(3, 9)]
    spool.append(events[:4])
    spool.append(events[4:])
    assert [len(spool.read(7)), spool.left] == [7, 14]  # reading alone takes nothing away
    spool.close()
    spool = opened(tmp_path / "r1")
    spool.read(7)
    spool.acknowledge()
    spool.close()
    spool = opened(tmp_path / "r1")
    assert drain(spool) == events[7:]
    assert not list(spool.folder.glob(f"*{CONTENT}"))
    spool.close()
    assert opened(tmp_path / "r1").left == 0


def test_not_a_number_and_infinity_are_kept(tmp_path: Path) -> None:
    spool = opened(tmp_path / "r1")
    spool.append([Point("a", float("nan"), 1, 1), Point("b", float("-inf"), 1, 1)])
    one, two = spool.read(10)
    assert isinstance(one, Point)
    assert one.value != one.value
    assert two == Point("b", float("-inf"), 1, 1)


@pytest.mark.parametrize("torn", [b"", b'{"key": "loss", "val', b"\x00" * 5000, b"x" * (3 << 20)])
def test_a_torn_last_line_is_cut_off_and_written_over(tmp_path: Path, torn: bytes) -> None:
    spool = opened(tmp_path / "r1")
    spool.append(points(3))
    spool.close()
    with (tmp_path / "r1" / EVENTS).open("ab") as file:
        file.write(torn)
    spool = opened(tmp_path / "r1")
    spool.append(points(2, 3))
    assert drain(spool) == points(5)


def test_a_damaged_line_or_mark_or_a_lost_file_costs_only_itself(tmp_path: Path) -> None:
    spool = opened(tmp_path / "r1")
    spool.append([*points(3), Artifact("a", b"a"), Artifact("b", b"b"), *points(2, 3)])
    first = spool.read(1)
    spool.acknowledge()
    spool.close()
    lines = (tmp_path / "r1" / EVENTS).read_bytes().splitlines(keepends=True)
    lines[1] = b"\xff" * (len(lines[1]) - 1) + b"\n"
    (tmp_path / "r1" / EVENTS).write_bytes(b"".join(lines))
    (tmp_path / "r1" / json.loads(lines[3])["content"]).unlink()
    spool = opened(tmp_path / "r1")
    assert first + drain(spool, 1) == [*points(1), *points(1, 2), Artifact("b", b"b"), *points(2, 3)]
    spool.close()
    (tmp_path / "r1" / DELIVERED).write_bytes(b"9" * 30)  # behind the end
    assert opened(tmp_path / "r1").left == 0


@pytest.mark.parametrize("mark", [b"", b"?\n"])
def test_without_a_mark_points_go_out_again(tmp_path: Path, mark: bytes) -> None:
    spool = opened(tmp_path / "r1")
    spool.append(points(5))
    drain(spool)
    spool.close()
    (tmp_path / "r1" / DELIVERED).write_bytes(mark)
    assert drain(opened(tmp_path / "r1")) == points(5)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    spool = opened(tmp_path / "r1")
    other = Spool(tmp_path / "r1", SOME)
    with pytest.raises(BlockingIOError):
        other.open()
    spool.close()
    other.open()
    other.remove()
    assert list(tmp_path.iterdir()) == []


def test_spools_are_found_latest_first_with_how_they_end(tmp_path: Path) -> None:
    one, two = opened(tmp_path / "r1"), opened(tmp_path / "r2", About("r2", "beef", "s", 1))
    one.end("FINISHED")
    os.utime(two.folder / ABOUT, ns=(1, 1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / ABOUT).write_text("[]")
    found = spools(tmp_path)
    assert [(s.about.run_id, s.about.ending) for s in found] == [("r1", "FINISHED"), ("r2", None)]
    assert spools(tmp_path / "none") == []


WRITER = """
import itertools, os, sys
from pathlib import Path
from ganflow.tracking.runs.spool import About, Spool
from ganflow.tracking.runs.run_events import Artifact, Point
def tell(word, step):
    os.write(1, b"%s %d\\n" % (word.encode(), step))  # whole or not at all
spool = Spool(Path(sys.argv[1]), About("r1", "f00d", "s", 0))
spool.open()
first = int(sys.argv[2])
for i in itertools.count(first):
    more = [Artifact(f"{i}", b"%d" % i * 1000)] if i % 5 == 0 else []
    spool.append([Point("loss", float(i), i, i), *more])
    tell("put", i)
    if i % 7 == 0:
        taken = [event.step for event in spool.read(3) if isinstance(event, Point)]
        if taken:
            tell("took", taken[-1])
        spool.acknowledge()
"""


def test_a_kill_at_any_moment_loses_nothing_that_was_put(tmp_path: Path) -> None:
    first = 0
    for after in (1, 3, 40, 200, 1000):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "r1"), str(first)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        told = [writer.stdout.readline().split() for _ in range(after)]
        os.kill(writer.pid, signal.SIGKILL)
        told += [line.split() for line in writer.stdout.read().splitlines()]
        writer.wait()
        put, took = ([int(i) for word, i in told if word == which] for which in ("put", "took"))
        taken = max(took, default=first - 1)
        spool = opened(tmp_path / "r1")
        steps = [event.step for event in drain(spool) if isinstance(event, Point)]
        spool.close()
        last = max([taken, *steps])  # nothing is left where it was killed after it had taken all
        assert steps == list(range(steps[0] if steps else last + 1, last + 1))
        assert last + 1 - len(steps) <= taken + 1
        assert put[-1] <= last <= put[-1] + 1  # one more when it was killed before it could say so
        first = last + 1


REFUSED = """
import resource, sys
from pathlib import Path
from ganflow.tracking import outbox
from ganflow.tracking.runs.run_events import Artifact, Point
from ganflow.tracking.runs.spool import About, Spool
import threading
outbox.GATHER_S, outbox.RETRY_S = 0.01, 0.05
arrived, put, there = [], threading.Event(), threading.Event()
def deliver(events):
    put.wait()  # what the disk says comes before what the server says
    if not there.is_set():
        raise ConnectionError("cut")
    arrived.extend(events)
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
box = outbox.Outbox(Spool(Path(sys.argv[1]), About("r1", "f00d", "s", 0)), deliver, str)
events = [Point("loss", float(i), i, i) for i in range(3000)]
events[1500:1500] = [Artifact("a.png", bytes(1 << 16))]
for first in range(0, 3001, 50):
    box.put(events[first:first + 50])
put.set()
if limit and sys.argv[3] == "again":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    box.put([])
if sys.argv[3] == "lost":
    print(box.close(0.3))
else:
    there.set()
    assert box.close(20.0) is None
    assert arrived == events, len(arrived)
"""


def refused(folder: Path, limit: int, how: str) -> tuple[str, list[str]]:
    command = [sys.executable, "-c", REFUSED, str(folder), str(limit), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(120))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.splitlines()


def test_a_disk_that_refuses_does_not_stop_training(tmp_path: Path) -> None:
    folder = tmp_path / "r1"
    refusal = f"ganflow: {folder}: File too large; training goes on and keeps in memory what it logs"
    cut = "ganflow: cut; training goes on and keeps what it logs"
    for how in ("in order", "again"):
        _, told = refused(folder, 1 << 14, how)
        assert told[0] == refusal
        assert told.count(refusal) == 1
        assert set(told[1:]) <= {
            cut,
            "ganflow: MLflow answers again",
            f"ganflow: {folder} takes what training logs again",
        }
        opened(folder).remove()


def test_what_memory_alone_holds_at_the_end_is_told(tmp_path: Path) -> None:
    said, _ = refused(tmp_path / "r1", 1 << 14, "lost")
    held = 3001 - opened(tmp_path / "r1").left
    assert said == (
        f"3,001 metrics and files did not reach MLflow: cut; kept in {tmp_path}/r1 "
        f"but for the last {held:,} (File too large)"
    )


@pytest.fixture
def tiny_disk(tmp_path: Path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounts a tmpfs")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_does_not_stop_training(tiny_disk: Path) -> None:
    folder = tiny_disk / "r1"
    _, told = refused(folder, 0, "in order")
    assert f"ganflow: {folder}: No space left on device; training goes on and keeps in memory what it logs" in told
