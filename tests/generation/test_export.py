"""Both exports of every generator make what the network makes, whatever the batch."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganflow.generation import export
from ganflow.methods.generator import Generator, GeneratorSpec
from tests.methods.networks.test_every_network import (
    CLASSES,
    LATENT,
    OF_NOISE,
    RESTORERS,
    SMALL,
    given_shape,
    moved,
    sides,
)

pytestmark = pytest.mark.slow

CONDITIONINGS = [kind for kind in CLASSES if kind != "auxiliary"]  # which a generator does not know from projection


def made(name: str, conditioning: str = "none", side: int | None = None, seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    node = {"name": name, **SMALL["generator"].get(name, {})}
    side = side or max(8, sides(name)[0])
    spec = GeneratorSpec(node, LATENT, (3, side, side), CLASSES[conditioning])
    return Generator(moved(spec.build()), spec)


def onnx_session(path: Path):  # type: ignore[no-untyped-def]
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("name", OF_NOISE)
def test_every_generator_is_exported(name: str, conditioning: str, tmp_path: Path) -> None:
    G = made(name, conditioning)
    assert export.write(G, tmp_path) == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == [export.ONNX, export.PT2]
    z, labels = G.latents(7, 100, 5), G.labels(0, 5, None)
    expected = G.draw(z, labels)
    given = {"z": z} if labels is None else {"z": z, "labels": labels}
    torch.testing.assert_close(
        torch.export.load(tmp_path / export.PT2).module()(*given.values()), expected, atol=1e-4, rtol=0
    )
    session = onnx_session(tmp_path / export.ONNX)
    shapes = {entry.name: entry.shape for entry in (*session.get_inputs(), *session.get_outputs())}
    side = G.spec.shape[1]
    assert shapes == {"z": ["N", LATENT], **({"labels": ["N"]} if labels is not None else {}),
                      "images": ["N", 3, side, side]}  # fmt: skip
    [images] = session.run(None, {key: value.numpy() for key, value in given.items()})
    torch.testing.assert_close(torch.from_numpy(images), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", sorted(RESTORERS))
def test_every_generator_that_restores_is_exported_from_image_to_image(name: str, tmp_path: Path) -> None:
    shape = given_shape(name, 3, 8)
    spec = GeneratorSpec({"name": name, **SMALL["generator"][name]}, 0, (3, 8, 8), 0, given_shape=shape)
    torch.manual_seed(0)
    G = Generator(moved(spec.build()), spec)
    assert export.write(G, tmp_path) == {}
    given = torch.randn(5, *shape)
    expected = G.restored(given)
    module = torch.export.load(tmp_path / export.PT2).module()
    torch.testing.assert_close(module(given), expected, atol=1e-4, rtol=0)
    session = onnx_session(tmp_path / export.ONNX)
    assert [entry.name for entry in session.get_inputs()] == ["given"]
    [images] = session.run(None, {"given": given.numpy()})
    torch.testing.assert_close(torch.from_numpy(images), expected, atol=1e-4, rtol=0)


def test_points_are_exported(tmp_path: Path) -> None:
    spec = GeneratorSpec({"name": "mlp", "widths": [8], "output": "linear"}, 4, (2, 1, 1), 0, kind="points")
    G = Generator(moved(spec.build()), spec)
    assert export.write(G, tmp_path) == {}
    [points] = onnx_session(tmp_path / export.ONNX).run(None, {"z": G.latents(0, 0, 6).numpy()})
    assert points.shape == (6, 2, 1, 1)


def test_spectral_normalisation_is_exported(tmp_path: Path) -> None:
    from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally

    G = made("dcgan", "projection")
    normalise_spectrally(G.network)
    assert export.write(Generator(G.network, G.spec), tmp_path) == {}


def test_the_files_hold_no_pickle_and_say_nothing_of_the_code(tmp_path: Path) -> None:
    export.write(made("stylegan2", "projection"), tmp_path)
    with zipfile.ZipFile(tmp_path / export.PT2) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    assert not [entry for entry, content in entries.items() if entry.endswith((".pkl", ".pt")) and content]
    for entry in (entry for entry in entries if entry.endswith("_config.json")):
        assert not any(tensor["use_pickle"] for tensor in json.loads(entries[entry])["config"].values()), entry
    for content in (*entries.values(), (tmp_path / export.ONNX).read_bytes()):
        assert not zipfile.is_zipfile(io.BytesIO(content))
        assert not [word for word in (b"ganflow", b"site-packages", b".py") if word in content]


class Stubborn(nn.Module):
    """It looks at numbers while it runs, which no exporter can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 64)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images = self.layer(z).unflatten(1, (1, 8, 8))
        return images if float(z.sum()) > 0 else -images


def test_a_network_that_cannot_be_exported_is_left_out_with_the_reason(tmp_path: Path) -> None:
    left_out = export.write(Generator(Stubborn(), GeneratorSpec({"name": "x"}, 4, (1, 8, 8), 0)), tmp_path)
    assert set(left_out) == {export.PT2, export.ONNX}
    for why in left_out.values():
        assert why.startswith("this network cannot be exported: ")
        assert "\n" not in why
    assert list(tmp_path.iterdir()) == []


class TwoFaced(nn.Module):
    """It makes something else while it is exported."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 64)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layer(z).unflatten(1, (1, 8, 8)) + float(not torch.compiler.is_compiling())


def test_a_file_that_makes_something_else_is_refused_with_the_difference(tmp_path: Path) -> None:
    left_out = export.write(Generator(TwoFaced(), GeneratorSpec({"name": "x"}, 4, (1, 8, 8), 0)), tmp_path)
    assert left_out[export.PT2].startswith("generator.pt2 differs from the network by 1, more than 0.00")
    assert list(tmp_path.iterdir()) == []
