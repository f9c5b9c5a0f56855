"""`prepare` beside StyleGAN's dataset_tool.py, on the same files, in turn.

    python -m benchmarks.prepare DATASET_TOOL

Three sources of made images: 50,000 JPEGs of 32x32 in a folder, the same in a zip, 5,000 JPEGs of 500x400 in a folder,
cropped and scaled to 64x64. Both are whole processes, from the command to its end; the median of three.
"""

import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
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


def compare(name: str, path: Path, tool: str, overrides: list[str], options: list[str]) -> None:
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as work:
        here = Path(work)
        config = compose(["data=image_folder", f"data.path={path}", "gan.conditioning=none", *overrides])
        (here / "params.yaml").write_text(params_file.dump(config), encoding="utf-8")
        for _ in range(ROUNDS):
            shutil.rmtree(here / "data", ignore_errors=True)
            shutil.rmtree(here / "theirs", ignore_errors=True)
            ours.append(seconds([sys.executable, "-m", "pipelines.prepare"], here))
            theirs.append(seconds([sys.executable, tool, f"--source={path}", "--dest=theirs", *options], here))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{name}: {a:.1f} s, {b:.1f} s by dataset_tool, {b / a:.1f} times as fast", flush=True)


@entry_point
def main(tool: str) -> None:
    tool = str(Path(tool).resolve())
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as work:
        small = make(Path(work, "small"), *SMALL)
        packed = Path(work, "small.zip")
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(small.rglob("*.jpg")):
                archive.write(file, file.relative_to(small))
        large = make(Path(work, "large"), *LARGE)
        compare("50,000 of 32x32 in a folder", small, tool, [], [])
        compare("50,000 of 32x32 in a zip", packed, tool, [], [])
        crop = ["data.crop=true", "data.resize=64", "gan/generator=dcgan", "gan/discriminator=dcgan"]
        compare(
            "5,000 of 500x400 to 64x64", large, tool, crop, ["--transform=center-crop", "--width=64", "--height=64"]
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
