"""A recipe of restoration on a set of test images of any size: PSNR and SSIM beside the simple method.

python benchmarks/restoration.py RECIPE TEST [overrides…]        as in: super_resolution Set5 data.path=BSDS200
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganflow.config import components, composition
from ganflow.config.schema import Config
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.metrics.restoration import psnr, ssim
from ganflow.generation.own_pictures import OwnPictures
from ganflow.generation.restorer import Restorer
from ganflow.methods import generator
from ganflow.methods.build import check_fits
from ganflow.methods.generator import Generator
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer
from ganflow.training.callbacks import Callbacks
from ganflow.training.events import Event, Report

CPU = torch.device("cpu")
SHOWN_S = 60.0


def trained(config: Config, folder: Path) -> Generator:
    """The averaged model of a training."""
    prepare(components.build("source", config.data, "data"), folder)
    dataset = Dataset.open(folder)
    check_fits(config, dataset.facts)
    shown = [time.monotonic()]

    def note(event: Event) -> None:
        if isinstance(event, Report) and time.monotonic() - shown[0] > SHOWN_S:
            shown[0] = time.monotonic()
            print(f"  {event.nimg:,} images, {event.metrics}", file=sys.stderr, flush=True)

    trainer = build_trainer(config, dataset, CPU, callbacks=Callbacks(note))
    trainer.fit()
    trainer.state.reconcile()
    return Generator(trainer.state.ema.network, trainer.spec)


def as_batch(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def measured(model: Generator, config: Config, test: str, folder: Path) -> dict[str, tuple[float, float]]:
    """PSNR and SSIM of the model and of the simple method: means over the images of the test set."""
    restorer, spec = Restorer(model), model.spec
    pictures = OwnPictures.of(test, folder, spec.shape[0], lambda *size: None)
    options = {name: dict(node) for name, node in config.evaluation.metrics.items()}
    luma, border = bool(options["psnr"]["luma"]), int(options["psnr"]["border"])
    rows: dict[str, list[tuple[float, float]]] = {"model": [], "simple": []}
    for index, file in enumerate(pictures.files):
        pixels = pictures.read(file).pixels
        factor = restorer.factor
        height, width = (side // factor * factor for side in pixels.shape[:2])
        whole = np.ascontiguousarray(pixels[:height, :width])
        given = restorer.degraded(whole, index)
        made = {
            "model": as_batch(restorer.restored(given)),
            "simple": spec.signal.stored(spec.degradations.simple(given)),
        }
        for name, image in made.items():
            pair = image, as_batch(whole)
            figures = psnr.per_image(*pair, luma, border), ssim.similarity_per_image(*pair, luma, border)
            rows[name].append((float(figures[0]), float(figures[1])))
    return {name: (float(np.mean([p for p, _ in of])), float(np.mean([s for _, s in of]))) for name, of in rows.items()}


@entry_point
def main(recipe: str, tests: str, *overrides: str) -> None:
    """TEST may be several folders with commas between; model=FILE measures a model that is there."""
    given = dict(word.split("=", 1) for word in overrides if word.startswith(("model=", "save=")))
    config = composition.compose(
        [f"experiment={recipe}", "training.overhead=null"]
        + [word for word in overrides if not word.startswith(("model=", "save="))]
    )
    with tempfile.TemporaryDirectory() as name:
        start = time.monotonic()
        model = generator.load(Path(given["model"])) if "model" in given else trained(config, Path(name) / "data")
        print(f"{recipe}: {time.monotonic() - start:.0f} s")
        if "save" in given:
            generator.save(Path(given["save"]), model.network, model.spec)
        for test in tests.split(","):
            (Path(name) / "scratch").mkdir(exist_ok=True)
            for method, (decibels, similarity) in measured(model, config, test, Path(name) / "scratch").items():
                print(f"{Path(test).name}, {method}: PSNR {decibels:.2f} dB, SSIM {similarity:.4f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
