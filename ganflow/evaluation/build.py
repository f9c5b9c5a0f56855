"""From a configuration and a prepared data set to an evaluator."""

from pathlib import Path

import torch

from ganflow import distributed
from ganflow.config import EvaluationConfig
from ganflow.data.dataset import Dataset, read_manifest
from ganflow.evaluation.classifier import load_or_train
from ganflow.evaluation.evaluator import Evaluator


def build_evaluator(config: EvaluationConfig, data: Path, cache: Path, device: torch.device) -> Evaluator:
    """An evaluator against the configuration's reference split. Rank 0 trains the extractor if it is not cached.

    Raises:
        GanflowError: the data set lacks the reference split, or is damaged.
    """
    train = Dataset.open(data, "train", verify=False)
    test = Dataset.open(data, "test", verify=False) if "test" in read_manifest(data)["splits"] else None
    reference = train if config.reference == "train" else Dataset.open(data, config.reference)
    if distributed.rank() == 0:
        load_or_train(train, test, config.classifier, cache)
    distributed.barrier()
    extractor = load_or_train(train, test, config.classifier, cache)
    extractor.network.to(device)
    return Evaluator(config, reference, extractor)
