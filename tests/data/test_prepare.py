"""A prepare ends with a whole data set or with none, and its bytes do not depend on who decoded."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from ganflow.data import prepare as module
from ganflow.data.decode_pool import pool_map
from ganflow.data.prepare import DecodeJob, prepare, serial_map
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.data.source import Decoded
from ganflow.errors import GanflowError
from tests.data.made import encoded, everything, noise, png, source, write_idx, write_tar, write_tree, write_zip
from tests.support.patience import patience

pytestmark = pytest.mark.slow

SHARED = os.environ.get("GANFLOW_SHARED_DATA")  # a folder with the real MNIST and CIFAR-10; small made ones without it
ROOT = Path(__file__).parents[2]


def images(n: int = 12, side: int = 6) -> dict[str, bytes]:
    return {f"{'ab'[i % 2]}/{i:04d}.png": png(noise(i, side, side, 3)) for i in range(n)}


def some_bad(n: int) -> dict[str, bytes]:
    """Every image that is bad here is bad in another way."""
    jpeg = encoded(Image.fromarray(noise(0, 64, 64, 3)), "JPEG")
    bad = {"a/y1.jpg": jpeg[:-500], "b/y2.png": b"", "b/y3.png": b"text"}
    more = {f"b/x{i:04d}.png": b"text" for i in range(n - 3)}
    return {**images(), **dict(list(bad.items())[:n]), **more}


def test_the_error_names_every_unreadable_image(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "in", some_bad(3))
    with pytest.raises(GanflowError) as caught:
        prepare(source("image_folder", path), tmp_path / "data")
    line = str(caught.value)
    assert line.startswith("3 unreadable images: a/y1.jpg (")
    assert "truncated" in line
    assert "b/y2.png (empty file), b/y3.png (not an image); data.on_bad_image=skip leaves them out" in line
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_many_unreadable_images_are_named_up_to_a_point(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip", some_bad(1003))
    with pytest.raises(GanflowError, match=r"^1,003 unreadable images: .* and 983 more; data.on_bad_image=skip"):
        prepare(source("image_folder", path), tmp_path / "data")


def test_skipped_images_are_left_out_counted_and_listed(tmp_path: Path) -> None:
    options = {"on_bad_image": "skip", "test_share": 0.0}
    path = write_tree(tmp_path / "in", some_bad(3))
    report = prepare(source("image_folder", path, **options), tmp_path / "data")
    assert [bad["file"] for bad in report["skipped"]] == ["a/y1.jpg", "b/y2.png", "b/y3.png"]
    assert report["splits"]["train"] == {"count": 12, "shards": 1, "per_class": {"a": 6, "b": 6}}
    whole = prepare(source("image_folder", write_tree(tmp_path / "good", images()), **options), tmp_path / "other")
    assert whole["digest"] == report["digest"]


def test_a_broken_link_is_an_unreadable_image(tmp_path: Path) -> None:
    write_tree(tmp_path / "in", images())
    (tmp_path / "in/a/gone.png").symlink_to("nowhere")
    with pytest.raises(GanflowError, match=r"1 unreadable image: a/gone.png \(No such file"):
        prepare(source("image_folder", tmp_path / "in"), tmp_path / "data")


def test_a_wrong_zip_checksum_is_an_unreadable_image(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip", images())
    raw = bytearray(path.read_bytes())
    raw[30 + len("a/0000.png") + 40] ^= 255  # in the first member, behind its header and name
    path.write_bytes(raw)
    with pytest.raises(GanflowError, match=r"1 unreadable image: a/0000\.png"):
        prepare(source("image_folder", path), tmp_path / "data")


def test_a_split_that_skipping_empties_is_refused(tmp_path: Path) -> None:
    files = {"train/a/1.png": png(noise(0, 6, 6)), "test/a/1.png": b"text"}
    with pytest.raises(GanflowError, match=r"no image is left in split test: 1 unreadable image: test/a/1.png"):
        prepare(source("image_folder", write_tree(tmp_path / "in", files), on_bad_image="skip"), tmp_path / "data")


def test_facts_can_be_refused_before_any_image_is_decoded(tmp_path: Path) -> None:
    def refuse(facts: Facts) -> None:
        raise GanflowError(f"{facts.shape[1]} will not do")

    with pytest.raises(GanflowError, match="6 will not do"):
        prepare(source("image_folder", write_tree(tmp_path / "in", some_bad(3))), tmp_path / "data", check=refuse)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_a_failed_prepare_leaves_the_data_set_of_before(tmp_path: Path) -> None:
    digest = prepare(source("digits"), tmp_path / "data")["digest"]
    with pytest.raises(GanflowError):
        prepare(source("image_folder", write_tree(tmp_path / "in", some_bad(3))), tmp_path / "data")
    assert Dataset.open(tmp_path / "data").digest == digest


def test_a_prepare_replaces_the_data_set_of_before_and_nothing_of_it_stays(tmp_path: Path) -> None:
    prepare(source("image_folder", write_tree(tmp_path / "in", images(40))), tmp_path / "data", shard_bytes=1000)
    prepare(source("idx", write_idx(tmp_path / "idx")), tmp_path / "data")
    assert sorted(p.name for p in (tmp_path / "data/train").iterdir()) == ["images-00000.npy", "labels-00000.npy"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "idx", "in"]


def test_only_what_was_asked_for_differs_between_two_runs(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "in.tar", images(40))
    for out in ("one", "two"):
        prepare(source("image_folder", path), tmp_path / out, shard_bytes=1000)
    names = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*")]
    assert len(names) > 5
    assert all((tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in names)


KILLED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it runs in the background ignore it
from pathlib import Path
from ganflow.config import components
from ganflow.config.schema import ClusterConfig
from ganflow.data import prepare as module
module.BATCH_IMAGES, module.PARALLEL_ABOVE = 4, 0
def stuck(jobs):
    for i, job in enumerate(jobs):
        if i == 2:
            print("half", flush=True)
            while True:  # a signal just before a long sleep would be heeded after it
                time.sleep(0.05)
        yield job.run()
source = components.build("source", {"name": "image_folder", "path": sys.argv[1]}, "data")
module.prepare(source, Path(sys.argv[2]), mapper=stuck, shard_bytes=300)
"""


def start_stuck(path: Path, out: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, str(path), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def test_a_kill_in_the_middle_leaves_no_data_set_and_the_next_run_succeeds(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "in.tar.xz", images(), "xz")
    process = start_stuck(path, tmp_path / "data")
    try:
        assert list(tmp_path.glob(".data.tmp-*/data/train/images-*.npy"))  # shards were on disk already
        with pytest.raises(GanflowError, match="belongs to a prepare that is still running"):
            prepare(source("image_folder", path), tmp_path / "data")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (tmp_path / "data").exists()
    prepare(source("image_folder", path), tmp_path / "data")
    assert len(Dataset.open(tmp_path / "data")) + len(Dataset.open(tmp_path / "data", "test")) == 12
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "in.tar.xz"]


def test_an_interrupt_cleans_up(tmp_path: Path) -> None:
    process = start_stuck(write_zip(tmp_path / "in.zip", images()), tmp_path / "data")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=patience(60))
    assert [p.name for p in tmp_path.iterdir()] == ["in.zip"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GanflowError, match=r"cannot write .*file/data: "):
        prepare(source("digits"), tmp_path / "file/data")


# Processes


def many() -> dict[str, bytes]:
    return {f"{'ab'[i % 2]}/{i:05d}.png": png(noise(i, 2, 2)) for i in range(module.PARALLEL_ABOVE + 300)}


def test_processes_give_the_bytes_of_the_serial_mapper(tmp_path: Path) -> None:
    path = Path(SHARED) / "cifar10-jpeg.tar.xz" if SHARED else write_tar(tmp_path / "in.tar.xz", many(), "xz")
    used: list[int] = []

    def counted(jobs: Sequence[DecodeJob]) -> Iterator[Decoded]:
        used.append(len(jobs))
        return pool_map(jobs)

    in_parallel = prepare(source("image_folder", path), tmp_path / "parallel", mapper=counted)
    assert used  # so many images go to the mapper
    serially = prepare(source("image_folder", path), tmp_path / "serial", mapper=serial_map)
    assert in_parallel["digest"] == serially["digest"]
    np.testing.assert_array_equal(everything(tmp_path / "parallel"), everything(tmp_path / "serial"))


def test_processes_report_every_bad_image_in_order(tmp_path: Path) -> None:
    files = {**many(), "a/00007.png": b"", "b/00002.png": b"text", "b/01100.png": b"text"}
    path = write_zip(tmp_path / "in.zip", files)
    with pytest.raises(GanflowError, match=r"^3 unreadable images: a/00007.png .*b/00002.png .*b/01100.png "):
        prepare(source("image_folder", path, test_share=0.0), tmp_path / "data", mapper=pool_map)
    assert [p.name for p in tmp_path.iterdir()] == ["in.zip"]


def test_a_refusal_in_a_process_is_the_line_that_it_is_here(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip", {**many(), "b/03000.png": png(noise(0, 3, 3))})
    lines = []
    for mapper in (serial_map, pool_map):
        with pytest.raises(GanflowError, match=r"data\.resize=0: .*b/03000\.png is 3x3, the first image 2x2") as caught:
            prepare(source("image_folder", path, test_share=0.0), tmp_path / "data", mapper=mapper)
        lines.append(str(caught.value))
    assert lines[0] == lines[1]


def test_only_a_costly_source_warms_the_mapper_up_and_does_so_before_it_is_read(tmp_path: Path) -> None:
    warmed = list[str]()

    def warm_up() -> None:
        warmed.append("costly")

    prepare(source("digits"), tmp_path / "digits", warm_up=warm_up)
    assert not warmed
    (tmp_path / "in").mkdir()
    with pytest.raises(GanflowError, match="holds no images"):
        prepare(source("image_folder", tmp_path / "in"), tmp_path / "data", warm_up=warm_up)
    assert warmed == ["costly"]


def test_few_images_start_no_process(tmp_path: Path) -> None:
    def never(jobs: Sequence[DecodeJob]) -> Iterator[Decoded]:
        raise AssertionError("the mapper was used")

    prepare(source("image_folder", write_zip(tmp_path / "in.zip", images())), tmp_path / "data", mapper=never)


ASKING = """
import os, signal, sys
from dataclasses import dataclass
from pathlib import Path
from ganflow.data import prepare as module
from ganflow.data.decode_pool import pool_map
from ganflow.data.sources.image_folder import ImageFolder

module.BATCH_IMAGES = 4

def killing(jobs):
    for n, decoded in enumerate(pool_map(jobs)):
        if n == 0:
            print(os.getpid(), flush=True)
            sys.stdin.readline()
        yield decoded

if __name__ == "__main__":
    try:
        module.prepare(ImageFolder(path=sys.argv[1]), Path(sys.argv[2]), mapper=killing)
    except module.GanflowError as error:
        print(error)
"""


def start_in_processes(tmp_path: Path) -> tuple["subprocess.Popen[str]", list[psutil.Process]]:
    """A prepare that has its first batch from its processes, and waits for a line; it and those that decode."""
    (tmp_path / "program.py").write_text(ASKING)
    path = write_zip(tmp_path / "in.zip", many())
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", path, tmp_path / "data"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    below = psutil.Process(process.pid).children(recursive=True)
    return process, [child for child in below if child.ppid() != process.pid]  # the server's own


def test_a_process_that_is_killed_is_one_line(tmp_path: Path) -> None:
    process, decoding = start_in_processes(tmp_path)
    for child in decoding:
        child.kill()
    said, _ = process.communicate("\n", timeout=patience(60))
    assert said == "a process that decodes images was killed; short of memory?\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.zip", "program.py"]


def test_processes_end_with_the_one_that_asks(tmp_path: Path) -> None:
    process, decoding = start_in_processes(tmp_path)
    assert decoding
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(decoding, timeout=patience(10))
    assert not alive
