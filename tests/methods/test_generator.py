import hashlib
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ganflow.config import components
from ganflow.distributed import rng
from ganflow.errors import GanflowError
from ganflow.methods import generator
from ganflow.methods.generator import Generator, GeneratorSpec, slerp
from ganflow.signals import named
from tests.support.patience import patience

SPEC = GeneratorSpec({"name": "dcgan", "width": 4}, 8, (3, 16, 16), 3, ["cat", "dog", "owl"])
UNCONDITIONAL = replace(SPEC, num_classes=0, classes=[])
IMAGES = named("image")
POINTS = GeneratorSpec(
    {"name": "mlp", "widths": [16], "output": "linear"},
    8,
    (2, 1, 1),
    2,
    ["-1 0", "1 0"],
    "points",
    [[-1, 0], [1, 0]],
)


def fresh(spec: GeneratorSpec = SPEC) -> nn.Module:
    """A network with weights large enough for images of contrast, and running statistics of its own."""
    torch.manual_seed(3)
    network = spec.build()
    for parameter in network.parameters():
        parameter.data.mul_(4)
    network(torch.randn(64, spec.latent_dim), torch.arange(64) % spec.num_classes if spec.num_classes else None)
    return network


def sampler(spec: GeneratorSpec = SPEC) -> Generator:
    return Generator(fresh(spec), spec)


def line_of(action: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(GanflowError) as refused:
        action(*args, **options)
    line = str(refused.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize("spec", [SPEC, UNCONDITIONAL], ids=["conditional", "unconditional"])
def test_what_is_saved_is_loaded_bit_for_bit(spec: GeneratorSpec, tmp_path: Path) -> None:
    network = fresh(spec)
    generator.save(tmp_path / generator.FILE, network, spec)
    loaded = generator.load(tmp_path / generator.FILE)
    assert loaded.spec == spec
    torch.testing.assert_close(loaded.network.state_dict(), network.state_dict(), rtol=0, atol=0)
    np.testing.assert_array_equal(loaded.sample(20, 5), Generator(network, spec).sample(20, 5))
    assert not loaded.network.training


SAVE = """
import sys, hashlib
from pathlib import Path
from tests.methods.test_generator import SPEC, fresh
from ganflow.methods import generator
generator.save(Path(sys.argv[1]), fresh(), SPEC)
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    generator.save(tmp_path / "here", fresh(), SPEC)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "77"}
    command = [sys.executable, "-c", SAVE, str(tmp_path / "there")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=patience(60))
    assert run.returncode == 0, run.stderr
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("here", "there")]
    assert digests[0] == digests[1]


def test_the_header_is_plain_json_of_the_spec(tmp_path: Path) -> None:
    generator.save(tmp_path / "g", fresh(), SPEC)
    raw = (tmp_path / "g").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(header["__metadata__"]["ganflow"]) == {
        "network": {"name": "dcgan", "width": 4},
        "latent_dim": 8,
        "resolution": 16,
        "channels": 3,
        "num_classes": 3,
        "classes": ["cat", "dog", "owl"],
    }


def test_latents_are_those_of_the_sample_stream_by_index() -> None:
    g = sampler()
    np.testing.assert_array_equal(g.latents(4, 10, 5), rng.normal(4, "sample", 0, 15, 8)[10:])
    assert not torch.equal(g.latents(4, 0, 5), g.latents(5, 0, 5))


@pytest.mark.parametrize("spec", [SPEC, UNCONDITIONAL], ids=["conditional", "unconditional"])
def test_samples_do_not_depend_on_how_many_or_on_the_batch(spec: GeneratorSpec) -> None:
    g = sampler(spec)
    whole = g.sample(100, seed=1)
    assert whole.shape == (100, 16, 16, 3)
    assert whole.dtype == np.uint8
    assert len(np.unique(whole.reshape(100, -1), axis=0)) == 100
    for n, batch in ((1, 256), (7, 3), (100, 1), (100, 64), (99, 100)):
        step = np.abs(g.sample(n, 1, batch=batch).astype(int) - whole[:n])
        assert step.max() <= 1  # another batch may add in another order: float32 rounds, and uint8 truncates
        assert (step > 0).mean() < 1e-3
    assert np.abs(g.sample(100, seed=2).astype(int) - whole).mean() > 5


def test_without_a_label_classes_take_turns() -> None:
    g = sampler()
    assert g.labels(2, 5, None).tolist() == [2, 0, 1, 2, 0]
    assert g.labels(2, 3, 1).tolist() == [1, 1, 1]
    one = g.sample(9, 0, label=1, batch=9)
    np.testing.assert_array_equal(one[1::3], g.sample(9, 0, batch=9)[1::3])  # there, turns come to class 1
    assert (one[0] != g.sample(9, 0, batch=9)[0]).any()


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_refused(label: int) -> None:
    assert line_of(sampler().sample, 1, 0, label=label) == f"label={label}: must be 0 to 2"


def test_an_unconditional_generator_takes_no_label() -> None:
    g = sampler(UNCONDITIONAL)
    assert g.labels(0, 4, None) is None
    assert line_of(g.sample, 1, 0, label=0) == "label=0: none: this generator is unconditional"


@pytest.mark.parametrize("n", [0, -3])
def test_no_samples_is_refused(n: int) -> None:
    assert line_of(sampler().sample, n, 0) == f"n={n}: must be at least 1"


def test_points_are_what_the_network_says(tmp_path: Path) -> None:
    network = fresh(POINTS)
    generator.save(tmp_path / generator.FILE, network, POINTS)
    g = generator.load(tmp_path / generator.FILE)
    assert g.spec == POINTS
    points = g.sample(20, 5, batch=20)
    assert points.dtype == np.float32
    z = torch.from_numpy(rng.normal(5, "sample", 0, 20, 8))
    with torch.no_grad():
        expected = network(z, torch.arange(20) % 2)[:, :, 0, 0]
    np.testing.assert_array_equal(points, expected.numpy())
    assert np.abs(points).max() > 1  # no pixels, so nothing clamps them
    assert g.images(5, 0, 20, g.labels(0, 20, None)).shape == (20, 2, 1, 1)


def test_pixels_follow_the_rule_of_the_field() -> None:
    """127.5·x + 128, clamped to 0 … 255 and truncated."""
    x = torch.tensor([-1.2, -1.0, -0.999, 0.0, 0.5, 0.996, 1.0, 1.3])
    expected = [int(min(max(127.5 * float(v) + 128, 0), 255)) for v in x]
    assert IMAGES.stored(x).tolist() == expected == [0, 0, 0, 128, 191, 254, 255, 255]


def test_every_stored_pixel_comes_back() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(IMAGES.stored(pixels.float() / 127.5 - 1), pixels)


class Exploit:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("write", [lambda o, p: p.write_bytes(pickle.dumps(o)), lambda o, p: torch.save(o, p)])
def test_a_pickle_is_no_generator_and_is_not_run(write: Any, tmp_path: Path) -> None:
    write(Exploit(tmp_path / "trace"), tmp_path / "g")
    assert line_of(generator.load, tmp_path / "g").startswith(f"{tmp_path / 'g'}: no readable generator: ")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("raw", [b"", b"\0" * 7, b"\xff" * 64, b"\x02" + b"\0" * 7 + b"{}", b"hello\nworld\n" * 20])
def test_a_file_that_is_no_safetensors_is_told_in_one_line(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "g").write_bytes(raw)
    assert line_of(generator.load, tmp_path / "g").startswith(f"{tmp_path / 'g'}: no ")


def test_a_file_that_is_missing_or_a_folder_or_cut_is_told_in_one_line(tmp_path: Path) -> None:
    generator.save(tmp_path / "g", fresh(), SPEC)
    raw = (tmp_path / "g").read_bytes()
    (tmp_path / "cut").write_bytes(raw[: len(raw) // 2])
    for path in (tmp_path / "missing", tmp_path, tmp_path / "cut"):
        assert line_of(generator.load, path).startswith(f"{path}: no readable generator: ")


def test_tensors_of_others_are_no_generator(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "g", metadata={"format": "pt"})
    expected = f"{tmp_path / 'g'}: no generator of ganflow's: its header has no `ganflow` entry"
    assert line_of(generator.load, tmp_path / "g") == expected


def header(path: Path, text: str) -> Path:
    save_file({k: v.contiguous() for k, v in fresh().state_dict().items()}, path, metadata={"ganflow": text})
    return path


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(generator._metadata(SPEC)["ganflow"]), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({"network": {"name": "dcgan"}}),
        changed(more=1),
        changed(network="dcgan"),
        changed(latent_dim="wide"),
        changed(latent_dim=-1),
        changed(resolution=None),
    ],
)
def test_a_header_that_describes_no_generator_is_told_in_one_line(text: str, tmp_path: Path) -> None:
    path = header(tmp_path / "g", text)
    assert line_of(generator.load, path).startswith(f"{path}: its header describes no generator: ")


def test_a_network_that_is_not_known_here_is_named(tmp_path: Path) -> None:
    path = header(tmp_path / "g", changed(network={"name": "later"}))
    known = ", ".join(components.choices("generator"))
    expected = f"{path}: its header describes no generator: gan.generator.name=later: one of {known}"
    assert line_of(generator.load, path) == expected


@pytest.mark.parametrize("changes", [{"latent_dim": 9}, {"channels": 1}, {"resolution": 32}, {"num_classes": 0}])
def test_weights_that_do_not_fit_are_told_in_one_line(changes: dict[str, int], tmp_path: Path) -> None:
    path = header(tmp_path / "g", changed(**changes))
    assert line_of(generator.load, path).startswith(f"{path}: weights do not fit dcgan: ")


def test_a_way_between_latents_stays_on_their_sphere() -> None:
    model = sampler()
    at = torch.tensor([0.0, 0.25, 1.0])
    z = model.path(3, 5, 3, at)
    torch.testing.assert_close(z[0], model.latents(3, 5, 3)[0])
    a, b = (model.path(3, 5, 3, torch.full((3,), end)) for end in (0.0, 1.0))
    torch.testing.assert_close(z[2], b[2])
    a, b = (nn.functional.normalize(ends, dim=1) for ends in (a, b))
    quarter = slerp(a, b, torch.full((3,), 0.25))
    torch.testing.assert_close(quarter.norm(dim=1), torch.ones(3))
    whole = (a * b).sum(1).arccos()
    torch.testing.assert_close((a * quarter).sum(1).arccos(), whole / 4)
    assert not torch.equal(b, model.path(4, 5, 3, torch.ones(3)))


def test_a_generator_that_diverged_makes_no_picture() -> None:
    model = sampler()
    next(model.network.parameters()).data.fill_(float("nan"))
    assert line_of(model.sample, 4, 0) == "the generator makes NaN or infinity; it has diverged"


STYLE = replace(SPEC, network={"name": "stylegan2", "width": 4, "w_dim": 6}, shape=(3, 8, 8))


def test_truncation_of_z_is_by_index() -> None:
    g = sampler()
    z = g.latents(4, 0, 20, 0.5)
    np.testing.assert_array_equal(z, rng.truncated_normal(4, "sample", 0, 20, 8, 0.5))
    assert torch.equal(g.latents(4, 13, 5, 0.5), z[13:18])
    whole, cut = g.sample(60, 1, 1, 60), g.sample(60, 1, 1, 60, truncation=0.5)
    np.testing.assert_array_equal(g.sample(60, 1, 1, 60, truncation=50.0), whole)
    spread = [part.astype(float).std(0).mean() for part in (whole, cut)]
    assert spread[1] < 0.8 * spread[0], "less variety"
    expected = g.stored(g.draw(g.latents(1, 0, 60, 0.5), g.labels(0, 60, 1)))
    np.testing.assert_array_equal(cut, expected)


def test_truncation_of_a_generator_with_w_is_of_w(tmp_path: Path) -> None:
    network = fresh(STYLE)
    network.w_avg.normal_()
    generator.save(tmp_path / "g", network, STYLE)
    g = generator.load(tmp_path / "g")
    assert g.has_w
    assert torch.equal(g.latents(4, 0, 5, 0.5), g.latents(4, 0, 5)), "z is as it is"
    z, labels = g.latents(4, 0, 9), g.labels(0, 9, None)
    with torch.no_grad():
        expected = network.eval()(z, labels, truncation=0.5)
    np.testing.assert_array_equal(g.sample(9, 4, truncation=0.5), g.stored(expected))
    mean = g.sample(9, 4, truncation=0.0)
    assert np.abs(mean.astype(int) - mean[0]).max() <= 1, "the mean w makes one image"
    assert np.abs(g.sample(9, 4).astype(int) - g.sample(9, 4)[0]).max() > 1


@pytest.mark.parametrize(
    ("spec", "truncation", "allowed"),
    [
        (SPEC, 0.0, "more than 0: values of z beyond it are drawn again, as 0.5 for fidelity, 2 for variety"),
        (SPEC, float("nan"), "more than 0: values of z beyond it are drawn again, as 0.5 for fidelity, 2 for variety"),
        (STYLE, 1.1, "0 to 1 for a generator with w: 0 is the mean w, 1 leaves w as it is"),
        (STYLE, -0.1, "0 to 1 for a generator with w: 0 is the mean w, 1 leaves w as it is"),
    ],
)
def test_a_truncation_that_cannot_be_is_refused(spec: GeneratorSpec, truncation: float, allowed: str) -> None:
    assert line_of(sampler(spec).sample, 1, 0, truncation=truncation) == f"truncation={truncation}: {allowed}"


def test_several_labels_take_turns() -> None:
    g = sampler()
    assert g.labels(1, 5, [2, 0]).tolist() == [0, 2, 0, 2, 0]
    np.testing.assert_array_equal(g.sample(9, 0, [0, 1, 2], 9), g.sample(9, 0, batch=9))
    assert line_of(g.sample, 1, 0, [0, 3]) == "label=3: must be 0 to 2"
    assert line_of(g.sample, 1, 0, []) == "label=[]: must be 0 to 2"


def test_walks_begin_at_the_samples_and_each_stop_is_another() -> None:
    g = sampler()
    z = g.stops(3, 6, 4)
    assert z.shape == (4, 6, 8)
    assert torch.equal(z[0], g.latents(3, 0, 6))
    torch.testing.assert_close(z[1], g.path(3, 0, 6, torch.ones(6)))
    assert len(np.unique(z.flatten(0, 1).numpy(), axis=0)) == 24
    assert torch.equal(g.stops(3, 4, 2), z[:2, :4])
    assert g.stops(3, 6, 4, 0.5).abs().max() <= 0.5


def noisy(spec: GeneratorSpec = STYLE) -> Generator:
    """As after training: the noise of every layer is seen."""
    network = fresh(spec)
    for conv in network.convs:
        torch.nn.init.constant_(conv.strength, 0.7)
    return Generator(network, spec)


def test_noise_is_drawn_by_index_and_only_where_a_network_takes_some() -> None:
    g = noisy()
    assert g.noise_size == 4 * 4 + 2 * 8 * 8
    np.testing.assert_array_equal(g.noise(4, 10, 5), rng.normal(4, "sample-noise", 0, 15, g.noise_size)[10:])
    assert not torch.equal(g.noise(4, 0, 5), g.noise(5, 0, 5))
    assert sampler().noise_size == 0
    assert sampler().noise(4, 0, 5) is None


def test_a_sample_has_noise_of_its_own_in_every_layer() -> None:
    """Each image by itself, with its noise in the place of the constant one."""
    g, reference, samples = noisy(), noisy().network, []
    z, labels, noise = g.latents(6, 0, 5), g.labels(0, 5, None), g.noise(6, 0, 5)
    for i in range(5):
        start = 0
        for conv in reference.convs:
            side = len(conv.noise)
            conv.noise.copy_(noise[i, start : start + side * side].view(side, side))
            start += side * side
        samples.append(g.stored(reference(z[i : i + 1], labels[i : i + 1])))
    expected = np.concatenate(samples)
    assert np.abs(g.sample(5, 6).astype(int) - expected).max() <= 1
    constant = g.stored(g.draw(z, labels))
    assert np.abs(constant.astype(int) - expected).mean() > 5
    same_z = g.stored(g.draw(z[:1].expand(5, -1), labels[:1].expand(5), noise=noise))
    assert len(np.unique(same_z.reshape(5, -1), axis=0)) == 5


def test_noise_does_not_depend_on_how_many_or_on_the_batch() -> None:
    g = noisy()
    whole, labels = g.sample(40, 1), g.labels(0, 40, None)
    for n, batch in ((1, 256), (7, 3), (40, 16), (40, 1)):
        step = np.abs(g.sample(n, 1, batch=batch).astype(int) - whole[:n])
        assert step.max() <= 1
        assert (step > 0).mean() < 1e-2
    parts = [g.images(1, first, 10, labels[first : first + 10]) for first in (0, 10, 20, 30)]  # as ranks evaluate
    evaluated = torch.cat(parts).permute(0, 2, 3, 1).numpy()
    assert np.abs(evaluated.astype(int) - whole).max() <= 1


def test_a_registered_network_has_the_same_tensors_as_before() -> None:
    buffers = [name for name, _ in fresh(STYLE).named_buffers() if "blur" not in name and "upsample" not in name]
    assert buffers == ["w_avg", "convs.0.noise", "convs.1.noise", "convs.2.noise"]
