"""`prepare` beside StyleGAN's dataset_tool.py, on the same files, in turn.

    python -m benchmarks.prepare DATASET_TOOL

Four sources of made images: 50,000 JPEGs of 32x32 in a folder, the same in a zip and in a tar.xz, which `tar` unpacks
for the tool, and 5,000 JPEGs of 500x400 in a folder, cropped and scaled to 64x64. Both are whole processes, from the
command to its end; the median of three.
"""

import io
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ganflow.config import params_file
from ganflow.config.composition import compose
from ganflow.terminal.console import entry_point

ROUNDS = 3
SMALL, LARGE = (32, 32, 50_000), (500, 400, 5_000)


def jpeg(rng: np.random.Generator, width: int, height: int) -> bytes:
    """A smooth picture, whose size as a file is that of a photograph's."""
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def make(folder: Path, width: int, height: int, count: int) -> Path:
    rng = np.random.default_rng(0)
    for n in range(count):
        file = folder / f"{n % 10}" / f"{n:06}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(rng, width, height))
    return folder


def seconds(command: list[str], folder: Path) -> float:
    begin = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def compare(name: str, path: Path, theirs: str, overrides: Sequence[str] = ()) -> None:
    """Time both in turn; ``theirs`` is a shell's line that leaves its files in ``theirs/``."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as work:
        here = Path(work)
        config = compose(["data=image_folder", f"data.path={path}", "gan.conditioning=none", *overrides])
        (here / "params.yaml").write_text(params_file.dump(config), encoding="utf-8")
        for _ in range(ROUNDS):
            for folder in ("data", "theirs"):
                shutil.rmtree(here / folder, ignore_errors=True)
            times["ours"].append(seconds([sys.executable, "-m", "pipelines.prepare"], here))
            times["theirs"].append(seconds(["sh", "-ec", theirs], here))
    a, b = (statistics.median(taken) for taken in times.values())
    print(f"{name}: {a:.1f} s, {b:.1f} s by dataset_tool, {b / a:.1f} times as fast", flush=True)


def packed(folder: Path) -> tuple[Path, Path]:
    """The files of a folder in a zip and in a tar.xz, as GNU's tar writes it, beside it."""
    as_zip, as_tar = folder.with_suffix(".zip"), folder.with_suffix(".tar.xz")
    with (
        zipfile.ZipFile(as_zip, "w") as archive,
        tarfile.open(as_tar, "w:xz", format=tarfile.GNU_FORMAT) as tar,
    ):
        for file in sorted(folder.rglob("*.jpg")):
            archive.write(file, file.relative_to(folder))
            tar.add(file, file.relative_to(folder))
    return as_zip, as_tar


@entry_point
def main(tool: str) -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    run = shlex.join([sys.executable, str(Path(tool).resolve()), "--dest=theirs/set"])
    scaled = ["data.crop=true", "data.resize=64", "gan/generator=dcgan", "gan/discriminator=dcgan"]
    with tempfile.TemporaryDirectory() as work:
        small, large = make(Path(work, "small"), *SMALL), make(Path(work, "large"), *LARGE)
        as_zip, as_tar = packed(small)
        compare("50,000 of 32x32 in a folder", small, f"{run} --source={small}")
        compare("50,000 of 32x32 in a zip", as_zip, f"{run} --source={as_zip}")
        unpack = f"mkdir -p theirs/in; tar xf {as_tar} -C theirs/in; {run} --source=theirs/in"
        compare("50,000 of 32x32 in a tar.xz", as_tar, unpack)
        crop = f"{run} --source={large} --transform=center-crop --width=64 --height=64"
        compare("5,000 of 500x400 to 64x64 in a folder", large, crop, scaled)


if __name__ == "__main__":
    main(*sys.argv[1:])
