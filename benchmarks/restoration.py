"""A recipe of restoration on sets of test images of any size, beside the simple method: PSNR, SSIM, features.

python benchmarks/restoration.py RECIPE TEST[,TEST…] [overrides…]        as in: super_resolution Set5 data.path=BSDS200

save=FILE keeps the model. model=FILE[,FILE] measures models that are there, with blend=0.25,0.5 those between two, too.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganflow.config import components, composition
from ganflow.config.schema import Config
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.restoration import perceptual_distance, psnr, ssim
from ganflow.generation.own_pictures import OwnPictures
from ganflow.generation.restorer import Restorer
from ganflow.methods import generator
from ganflow.methods.blend import blend
from ganflow.methods.build import check_fits
from ganflow.methods.generator import Generator
from ganflow.methods.start import Start
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer
from ganflow.training.callbacks import Callbacks
from ganflow.training.events import Event, Report

CPU = torch.device("cpu")
SHOWN_S = 60.0
OPTIONS = ("model", "blend", "save")


def trained(config: Config, dataset: Dataset) -> Generator:
    """The averaged model of a training."""
    check_fits(config, dataset.facts)
    shown = [time.monotonic()]

    def note(event: Event) -> None:
        if isinstance(event, Report) and time.monotonic() - shown[0] > SHOWN_S:
            shown[0] = time.monotonic()
            print(f"  {event.nimg:,} images, {event.metrics}", file=sys.stderr, flush=True)

    source = config.training.start
    start = Start.of(source, Path(source), None) if source else None
    trainer = build_trainer(config, dataset, CPU, callbacks=Callbacks(note), start=start)
    trainer.fit()
    trainer.state.reconcile()
    return Generator(trainer.state.ema.network, trainer.spec)


@dataclass(frozen=True)
class Judge:
    """The figures of a restored image."""

    luma: bool
    border: int
    extract: Callable[[Tensor], Features]

    @classmethod
    def of(cls, config: Config, dataset: Dataset, cache: Path) -> "Judge":
        """By the recipe's options, and features of its extractor for its own data."""
        options = dict(config.evaluation.metrics["psnr"])
        choice = components.build("extractor", config.evaluation.extractor, "evaluation.extractor")
        return cls(bool(options["luma"]), int(options["border"]), choice.build(Splits(dataset, None), cache, CPU))

    def __call__(self, made: Tensor, true: Tensor) -> tuple[float, float, float]:
        """PSNR, SSIM and distance of features of one image (1, C, H, W)."""
        figures = (
            psnr.per_image(made, true, self.luma, self.border),
            ssim.similarity_per_image(made, true, self.luma, self.border),
            perceptual_distance.relative_distance(made, true, self.extract),
        )
        return float(figures[0]), float(figures[1]), float(figures[2])


def as_batch(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def measured(models: dict[str, Generator], judge: Judge, test: str, folder: Path) -> dict[str, list[float]]:
    """The figures of models of one recipe and of the simple method: means over the images of the test set."""
    restorers = {name: Restorer(model) for name, model in models.items()}
    some = next(iter(restorers.values()))
    spec = some.model.spec
    pictures = OwnPictures.of(test, folder, spec.shape[0], lambda *size: None)
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in (*models, "simple")}
    for index, file in enumerate(pictures.files):
        pixels = pictures.read(file).pixels
        height, width = (side // some.factor * some.factor for side in pixels.shape[:2])
        whole = np.array(pixels[:height, :width])
        given = some.degraded(whole, index)
        made = {name: as_batch(restorer.restored(given)) for name, restorer in restorers.items()}
        made["simple"] = spec.signal.stored(spec.degradations.simple(given))
        for name, image in made.items():
            rows[name].append(judge(image, as_batch(whole)))
    return {name: np.mean(each, 0).tolist() for name, each in rows.items()}


def models_of(given: dict[str, str], config: Config, dataset: Dataset) -> dict[str, Generator]:
    """The models to measure, by name."""
    if "model" not in given:
        return {"model": trained(config, dataset)}
    models = {Path(file).stem: generator.load(Path(file)) for file in given["model"].split(",")}
    if "blend" in given:
        first, second = models.values()
        models |= {f"blend {share}": blend(first, second, float(share)) for share in given["blend"].split(",")}
    return models


@entry_point
def main(recipe: str, tests: str, *overrides: str) -> None:
    given = dict(word.split("=", 1) for word in overrides if word.split("=")[0] in OPTIONS)
    of_recipe = [word for word in overrides if word.split("=")[0] not in OPTIONS]
    config = composition.compose([f"experiment={recipe}", "training.overhead=null", *of_recipe])
    with tempfile.TemporaryDirectory() as name:
        prepare(components.build("source", config.data, "data"), Path(name) / "data")
        dataset = Dataset.open(Path(name) / "data")
        start = time.monotonic()
        models = models_of(given, config, dataset)
        print(f"{recipe}: {time.monotonic() - start:.0f} s")
        if "save" in given:
            generator.save(Path(given["save"]), models["model"].network, models["model"].spec)
        judge = Judge.of(config, dataset, Path(name) / "cache")
        for test in tests.split(","):
            (Path(name) / "scratch").mkdir(exist_ok=True)
            for method, (decibels, similarity, apart) in measured(models, judge, test, Path(name) / "scratch").items():
                line = f"PSNR {decibels:.2f} dB, SSIM {similarity:.4f}, distance of features {apart:.4f}"
                print(f"{Path(test).name}, {method}: {line}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
