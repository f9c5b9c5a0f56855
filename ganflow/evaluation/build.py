"""From a configuration and a prepared data set to an evaluator."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from ganflow import storage
from ganflow.config import components, project_folder
from ganflow.config.schema import Config, EvaluationConfig
from ganflow.data.normal_classes import HELD_OUT
from ganflow.data.prepared.dataset import Dataset, read_manifest
from ganflow.errors import GanflowError, require
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.image_sets import AS_THEY_ARE, open_images
from ganflow.terminal.progress import Advanced, unheard


def build_evaluator(
    config: EvaluationConfig,
    data: Path,
    cache: Path,
    device: torch.device,
    making: Callable[[Advanced], None] = unheard,
    listener: Callable[[Advanced], None] = unheard,
) -> Evaluator:
    """An evaluator against the configuration's reference split, with the extractor ready for these data.

    Args:
        config: what is measured.
        data: a prepared data set.
        cache: where extractors and features of the reference are kept.
        device: where this rank computes.
        making: hears how far the making of an extractor is.
        listener: hears how far the evaluator's work is.

    Raises:
        GanflowError: the data set lacks the reference split, or is damaged; an extractor that is not to be had.
    """
    has_test = bool(read_manifest(data)["splits"].get("test", {}).get("count"))
    train = Dataset.open(data, "train", verify=False)
    if config.reference == "test" and not has_test:
        raise GanflowError(f"{train.root} has no split 'test' to be the reference; set evaluation.reference=train")
    test = Dataset.open(data, "test", verify=config.reference == "test") if has_test else None
    held_out = Dataset.open(data, HELD_OUT, verify=False) if HELD_OUT in read_manifest(data)["splits"] else None
    splits = Splits(train, test, held_out)
    choice = components.build("extractor", config.extractor, "evaluation.extractor")
    return Evaluator(config, splits, choice.build(splits, cache, device, making), cache, device, listener)


MISSING_REFERENCE = "no such file or folder; `dvc repro prepare` makes data/, or --reference names images or a data set"


def evaluator_here(
    config: Config,
    reference: str,
    scratch: Path,
    listener: Callable[[Advanced], None] = unheard,
    options: Mapping[str, object] = AS_THEY_ARE,
) -> Evaluator:
    """An evaluator in this process, on its GPU if there is one.

    Args:
        config: what is measured, and where extractors are kept.
        reference: a prepared data set, or images of any form.
        scratch: an empty place for what images become.
        listener: hears how far the work is.
        options: of ``image_folder``, for a reference of pictures.

    Raises:
        GanflowError: as :func:`build_evaluator`, or a reference that cannot be read.
    """
    reachable = storage.is_remote(reference) or storage.local_path(reference).exists()
    require(reachable, "reference", reference, MISSING_REFERENCE)
    data = open_images(reference, scratch, options)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    remote = "://" in config.cluster.storage
    folder = project_folder.place(config.cluster.cache if remote else config.cluster.storage).expanduser().absolute()
    return build_evaluator(config.evaluation, data, folder / "extractors", device, listener, listener)
