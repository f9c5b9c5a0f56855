import time

import pytest
import torch
from torch import Tensor

from ganflow.evaluation.latency import BATCH, alone, batch_of, latency
from ganflow.generator import Generator, GeneratorSpec

SPEC = GeneratorSpec({"name": "mlp", "widths": [4]}, 4, 8, 1, 3, ["a", "b", "c"])


class Slow(torch.nn.Module):
    """A network that takes a known time, at least."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.network, self.seconds, self.batches = SPEC.build(), seconds, list[int]()

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        self.batches.append(len(z))
        time.sleep(self.seconds)
        made: Tensor = self.network(z, labels)
        return made


def test_the_time_of_a_batch_is_that_of_its_network() -> None:
    slow, fast = Slow(0.02), Slow(0.005)
    found = latency(Generator(slow, SPEC), Generator(fast, SPEC), pairs=9)
    assert found.a_ms >= 20
    assert found.b_ms >= 5
    assert 2 < found.ratio <= 4 * 1.2
    assert {*slow.batches, *fast.batches} == {BATCH}
    assert len(slow.batches) == len(fast.batches)
    assert alone(Generator(slow, SPEC), batches=3) >= 20


def test_the_ratio_stands_however_the_machine_slows_down() -> None:
    a, b = Slow(0.004), Slow(0.004)
    calm = latency(Generator(a, SPEC), Generator(b, SPEC), pairs=9)
    a.seconds = b.seconds = 0.012
    busy = latency(Generator(a, SPEC), Generator(b, SPEC), pairs=9)
    assert busy.a_ms > 2 * 4
    assert calm.ratio == pytest.approx(busy.ratio, abs=0.5)


def test_a_batch_is_the_same_every_time() -> None:
    make = batch_of(Generator(SPEC.build(), SPEC))
    torch.testing.assert_close(make(), make(), rtol=0, atol=0)
