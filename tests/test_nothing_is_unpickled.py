"""Code in a file that others could write is never run: a trap in every place that ganflow reads; a look at the source.

The registered model has its own in ``tests/tracking/test_poisoned.py``, foreign weights in ``tests/extractors``.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from ganflow.cli.app import app
from ganflow.config import catalogue, composition, params_file
from ganflow.data.prepared.dataset import MANIFEST, Dataset, digest_of
from ganflow.errors import GanflowError
from ganflow.evaluation.evidence.feature_store import split_features
from ganflow.evaluation.extractors.classifier import ClassifierChoice, load_or_train
from ganflow.generation.writers import npz
from ganflow.training.checkpoints.checkpoint import CheckpointStore
from tests.generation.writers.made import SPEC, model
from tests.support.poison import Poison, assert_deadly, pickled, saved, sha256
from tests.support.project import ROOT

Write = Callable[[Path], bytes]
TRAPS = pytest.mark.parametrize("write", [saved, pickled])


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Path]:
    """What a trap leaves when it was read; nothing did."""
    yield tmp_path / "trace"
    assert not (tmp_path / "trace").exists()


def ganflow(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_the_trap_works(tmp_path: Path) -> None:
    assert_deadly(saved(tmp_path / "trace"), tmp_path / "trace")


@TRAPS
def test_in_a_checkpoint_with_the_right_checksum_it_is_passed_over(
    write: Write, trace: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = CheckpointStore(tmp_path / "run")
    store.save({"nimg": 1, "weights": torch.ones(2)}, 1)
    content = write(trace)
    name = f"checkpoint-{2:012d}-{sha256(content)[:32]}.pt"
    store.storage.write(name, content)
    state = store.latest()
    assert re.search(rf"{name} holds more than tensors and plain values .* passing it over", caplog.text)
    assert state is not None
    assert state["nimg"] == 1


@TRAPS
def test_as_the_kept_extractor_it_is_trained_anew(write: Write, trace: Path, digits: Path, tmp_path: Path) -> None:
    data, choice = Dataset.open(digits), ClassifierChoice(width=4, kimg=0.5)
    name = load_or_train(data, None, choice, tmp_path / "kept").name
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(write(trace))
    with pytest.warns(
        UserWarning, match=rf"{kept.name} is not a valid extractor \(UnpicklingError\); training it anew"
    ):
        assert load_or_train(data, None, choice, tmp_path / "kept").name == name
    assert load_or_train(data, None, choice, tmp_path / "kept").name == name


@TRAPS
def test_as_kept_features_of_the_reference_they_are_made_anew(
    write: Write, trace: Path, digits: Path, tmp_path: Path
) -> None:
    data = Dataset.open(digits, "test")
    extractor = load_or_train(data, None, ClassifierChoice(width=4, kimg=0.5), tmp_path)
    features = split_features(data, extractor, 100, tmp_path / "kept", int)
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(write(trace))
    again = split_features(data, extractor, 100, tmp_path / "kept", int)
    assert torch.equal(again.embeddings, features.embeddings)


@TRAPS
def test_as_the_kept_catalogue_of_components_it_is_made_anew(
    write: Write, trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    whole = catalogue.entries("loss")
    kept = tmp_path / "ganflow/catalogue" / f"{catalogue._digest()}.json"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(write(trace))
    assert catalogue._catalogue.__wrapped__()["loss"] == whole


def shard_of(content: bytes, size: int) -> bytes:
    """Padded to the size that is looked for first."""
    return content.ljust(size, b"\0")


def objects(trace: Path, path: Path) -> bytes:
    """A `.npy` of Python objects."""
    with path.open("wb") as file:
        np.save(file, np.array([Poison(trace)], object), allow_pickle=True)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["objects", "saved", "pickled"])
def test_as_a_shard_whose_checksum_is_right(kind: str, trace: Path, unlabelled: Path, tmp_path: Path) -> None:
    content = {"objects": objects(trace, tmp_path / "o"), "saved": saved(trace), "pickled": pickled(trace)}[kind]
    root = tmp_path / "data"
    manifest = json.loads((unlabelled / MANIFEST).read_text())
    (shard,) = manifest["splits"]["train"]["shards"]
    for name in (shard["images"]["file"], shard["labels"]["file"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((unlabelled / name).read_bytes())
    image = root / shard["images"]["file"]
    image.write_bytes(shard_of(content, image.stat().st_size))
    shard["images"]["sha256"] = sha256(image.read_bytes())
    (root / MANIFEST).write_text(json.dumps(manifest | {"digest": digest_of(manifest)}))
    with pytest.raises(GanflowError, match=r"images-00000\.npy is not a readable shard; `dvc checkout` brings it back"):
        Dataset.open(root)


@pytest.mark.parametrize("name", ["theirs.npz", "theirs.npy"])
@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_as_images_of_another_generator(
    command: str, name: str, trace: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["evaluation.samples=100", "evaluation.extractor.kimg=1", "evaluation.extractor.width=4"]
    Path("params.yaml").write_text(params_file.dump(composition.compose(small)))
    array = np.array([Poison(trace)] * 100, object)
    with Path(name).open("wb") as file:
        if name.endswith(".npz"):
            np.savez(file, images=array)
        else:
            np.save(file, array, allow_pickle=True)
    asked = ["--samples", name] if command == "evaluate" else [name, name]
    done = ganflow(command, *asked, "--reference", str(digits))
    assert isinstance(done.exception, GanflowError)
    assert str(done.exception).startswith(f"{name}: no readable array: Object arrays cannot be loaded")


@TRAPS
def test_as_a_file_that_generate_had_begun(write: Write, trace: Path, tmp_path: Path) -> None:
    from ganflow.generation.sampling import Sampling
    from tests.generation.writers.made import write as generate

    sampling = Sampling(model(SPEC), 24, 7, batch=12)
    generate(f"{tmp_path}/whole.npz", sampling)
    grown = tmp_path / ".x.npz.partial"
    grown.mkdir()
    (grown / "samples.json").write_text(json.dumps(sampling.record()))
    (grown / npz.ARRAYS).write_bytes(write(trace))
    generate(f"{tmp_path}/x.npz", sampling)
    assert len(np.load(tmp_path / "x.npz", allow_pickle=False)["images"]) == 24


RUNS_CODE = {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve"}
READS = {"load", "loads", "Unpickler", "open"}


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of an expression; empty if it is none."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def refused(call: ast.Call) -> str | None:
    """The name of a call that may run what it reads; None for others."""
    name = dotted(call.func)
    owner, _, last = name.rpartition(".")
    options = {word.arg: word.value for word in call.keywords}

    def says(option: str, value: bool) -> bool:
        found = options.get(option)
        return isinstance(found, ast.Constant) and found.value is value

    wrong = (
        (owner in RUNS_CODE and last in READS)
        or name in ("eval", "exec", "builtins.eval", "builtins.exec")
        or (name == "torch.load" and not says("weights_only", True))
        or (last in ("load", "read_array", "memmap") and "allow_pickle" in options and not says("allow_pickle", False))
        or (owner == "yaml" and last in ("load", "load_all", "unsafe_load", "full_load"))
        or name in ("torch.jit.load", "torch.package.PackageImporter", "mlflow.pyfunc.load_model")
    )
    return name if wrong else None


def found_in(source: str) -> list[str]:
    """Calls and imports of one file that are refused."""
    tree = ast.walk(ast.parse(source))
    found = []
    for node in tree:
        if isinstance(node, ast.Call) and (name := refused(node)):
            found.append(name)
        if isinstance(node, ast.ImportFrom) and node.module in RUNS_CODE:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        if isinstance(node, ast.Import):  # under another name it would not be seen above
            found += [a.name for a in node.names if a.name in {*RUNS_CODE, "torch", "yaml"} and a.asname]
        if isinstance(node, ast.ImportFrom) and node.module in ("torch", "yaml"):
            found += [f"{node.module}.{alias.name}" for alias in node.names if alias.name.endswith("load")]
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.load(f)", "from pickle import loads", "import pickle as p", "cloudpickle.load(f)",
        "joblib.load(f)", "torch.load(f)", "torch.load(f, weights_only=False)", "torch.load(f, weights_only=x)",
        "from torch import load", "np.load(f, allow_pickle=True)", "np.load(f, allow_pickle=x)", "yaml.load(f)",
        "yaml.unsafe_load(f)", "eval('1')", "exec(text)", "shelve.open(p)",
    ],
)  # fmt: skip
def test_the_look_at_the_source_sees(source: str) -> None:
    assert found_in(source)


def test_no_source_reads_what_may_run_code() -> None:
    files = [p for top in ("ganflow", "pipelines") for p in (ROOT / top).rglob("*.py")]
    assert len(files) > 100
    found = {(p.relative_to(ROOT).as_posix(), name) for p in files for name in found_in(p.read_text())}
    assert not found
