import time

import pytest
import torch
from torch import Tensor

from ganflow.evaluation import latency as module
from ganflow.evaluation.latency import BATCH, PAIRS, alone, batch_of, latency
from ganflow.methods.generator import Generator, GeneratorSpec

SPEC = GeneratorSpec({"name": "mlp", "widths": [4]}, 4, (1, 8, 8), 3, ["a", "b", "c"])


class Machine:
    """Its clock moves only while a network runs; every batch may take longer than the one before."""

    def __init__(self, slows_by: float = 1.0) -> None:
        self.now, self.slowness, self.slows_by = 0.0, 1.0, slows_by

    def work(self, seconds: float) -> None:
        self.now += seconds * self.slowness
        self.slowness *= self.slows_by

    def clock(self) -> float:
        return self.now


class Slow(torch.nn.Module):
    """A network that takes a known time of a machine."""

    def __init__(self, seconds: float, machine: Machine) -> None:
        super().__init__()
        self.network, self.seconds, self.machine, self.batches = SPEC.build(), seconds, machine, list[int]()

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        self.batches.append(len(z))
        self.machine.work(self.seconds)
        made: Tensor = self.network(z, labels)
        return made


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(module, "perf_counter", made.clock)
    return made


def test_the_time_of_a_batch_is_that_of_its_network(machine: Machine) -> None:
    slow, fast = Slow(0.02, machine), Slow(0.005, machine)
    found = latency(Generator(slow, SPEC), Generator(fast, SPEC), pairs=9)
    assert (found.a_ms, found.b_ms, found.ratio) == pytest.approx((20, 5, 4))
    assert {*slow.batches, *fast.batches} == {BATCH}
    assert len(slow.batches) == len(fast.batches)
    assert alone(Generator(slow, SPEC), batches=3) == pytest.approx(20)


def test_the_ratio_stands_however_the_machine_slows_down(machine: Machine) -> None:
    machine.slows_by = 1.05
    found = latency(Generator(Slow(0.008, machine), SPEC), Generator(Slow(0.004, machine), SPEC))
    assert machine.slowness > 1.05 ** (2 * PAIRS)
    assert found.ratio == pytest.approx(2, rel=0.05 + 1e-9)


def test_the_clock_is_the_real_one() -> None:
    class Asleep(Machine):
        def work(self, seconds: float) -> None:
            time.sleep(seconds)

    assert alone(Generator(Slow(0.02, Asleep()), SPEC), batches=3) >= 20


def test_a_batch_is_the_same_every_time() -> None:
    make = batch_of(Generator(SPEC.build(), SPEC))
    torch.testing.assert_close(make(), make(), rtol=0, atol=0)
