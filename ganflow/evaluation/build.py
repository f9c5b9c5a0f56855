"""From a configuration and a prepared data set to an evaluator."""

from pathlib import Path

import torch

from ganflow import distributed
from ganflow.data.dataset import POINTS, STACKED, Dataset, read_manifest
from ganflow.evaluation.classifier import Classifier, Data, load_or_train
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.extractor import Extractor
from ganflow.evaluation.points import nearest_mode
from ganflow.evaluation.stacked import Channels, PerChannel
from ganflow.schema import EvaluationConfig


def build_evaluator(config: EvaluationConfig, data: Path, cache: Path, device: torch.device) -> Evaluator:
    """An evaluator against the configuration's reference split, with the extractor for data of its kind.

    Raises:
        GanflowError: the data set lacks the reference split, or is damaged.
    """
    train = Dataset.open(data, "train", verify=False)
    test = Dataset.open(data, "test", verify=False) if "test" in read_manifest(data)["splits"] else None
    reference = train if config.reference == "train" else Dataset.open(data, config.reference)
    return Evaluator(config, reference, _extractor(train, test, config, cache, device))


def _extractor(
    train: Dataset, test: Dataset | None, config: EvaluationConfig, cache: Path, device: torch.device
) -> Extractor:
    """The one for data of this kind."""
    if train.facts.kind == POINTS:
        return nearest_mode(train)
    if train.facts.kind == STACKED:
        return PerChannel(_classifier(Channels(train), test and Channels(test), config, cache, device))
    return _classifier(train, test, config, cache, device)


def _classifier(
    train: Data, test: Data | None, config: EvaluationConfig, cache: Path, device: torch.device
) -> Classifier:
    """Trained by rank 0 if it is not cached."""
    if distributed.rank() == 0:
        load_or_train(train, test, config.classifier, cache)
    distributed.barrier()
    extractor = load_or_train(train, test, config.classifier, cache)
    extractor.network.to(device)
    return extractor
