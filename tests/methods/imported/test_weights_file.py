"""Files from elsewhere: tensors by name, and no code."""

import argparse
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ganflow.errors import GanflowError
from ganflow.methods.imported.weights_file import read_tensors
from tests.support.poison import Poison, assert_deadly, pickled, saved

ONE, TWO = torch.arange(3.0), torch.ones(2, 2)


def test_safetensors_and_what_torch_saves_are_the_same_tensors(tmp_path: Path) -> None:
    save_file({"G.a.weight": ONE, "G.b": TWO}, tmp_path / "x.safetensors")
    torch.save({"G": {"a.weight": ONE, "b": TWO}, "step": 7, "ema": None}, tmp_path / "x.pt")
    for name in ("x.safetensors", "x.pt"):
        tensors = read_tensors(tmp_path / name)
        assert list(tensors) == ["G.a.weight", "G.b"]
        assert torch.equal(tensors["G.a.weight"], ONE)
        assert torch.equal(tensors["G.b"], TWO)


def test_a_command_line_s_options_may_be_beside_the_tensors(tmp_path: Path) -> None:
    torch.save({"g": {"a": ONE}, "args": argparse.Namespace(lr=0.1)}, tmp_path / "x.pt")
    assert list(read_tensors(tmp_path / "x.pt")) == ["g.a"]


def pickled_as_today(trace: Path) -> bytes:
    """By Python's own protocol, as the authors of StyleGAN2-ADA and R3GAN write their networks."""
    return pickle.dumps({"G_ema": Poison(trace)})


def test_the_traps_work(tmp_path: Path) -> None:
    assert_deadly(saved(tmp_path / "saved"), tmp_path / "saved")
    pickle.loads(pickled_as_today(tmp_path / "pickled"))
    assert (tmp_path / "pickled").exists()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("write", [saved, pickled, pickled_as_today])
@pytest.mark.parametrize("name", ["network-snapshot-000000.pkl", "G.pth"])
def test_code_is_refused_and_does_not_run(write: Callable[[Path], bytes], name: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (tmp_path / name).write_bytes(write(trace))
    with pytest.raises(GanflowError) as refused:
        read_tensors(tmp_path / name)
    why = "holds more than tensors, and reading that could run code, so it is not read"
    way = "save its state dicts with its authors' own code, in three lines: docs/registry.md, Published weights"
    assert str(refused.value) == f"{tmp_path / name} {why}; {way}"
    assert not trace.exists()


def test_a_class_that_does_no_harm_is_refused_like_any(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "network.pt")
    with pytest.raises(GanflowError, match="holds more than tensors"):
        read_tensors(tmp_path / "network.pt")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.safetensors", b"torn", "no readable safetensors"),
        ("x.pt", b"", "is not what torch.save writes"),
        ("x.pt", b"PK\x03\x04torn", "is not what torch.save writes|holds more than tensors"),
        ("x.pt", b"\x89PNG not weights", "holds more than tensors|is not what torch.save writes"),
    ],
)
def test_a_damaged_file_is_one_line(name: str, content: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GanflowError, match=line) as refused:
        read_tensors(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_no_file_and_no_tensors_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match=re.escape("none.pt: no such file; give a .safetensors")):
        read_tensors(tmp_path / "none.pt")
    torch.save({"step": 7}, tmp_path / "x.pt")
    with pytest.raises(GanflowError, match=re.escape("x.pt holds no tensors; ")):
        read_tensors(tmp_path / "x.pt")
