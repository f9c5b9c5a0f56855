from pathlib import Path

import pytest
import torch

from ganflow.evaluation.extractors.inception_v3 import InceptionV3
from tests.support.inception import random_network


@pytest.fixture(scope="session")
def network() -> InceptionV3:
    return random_network()


@pytest.fixture(scope="session")
def weights_file(network: InceptionV3, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(network.state_dict(), path)
    return path
