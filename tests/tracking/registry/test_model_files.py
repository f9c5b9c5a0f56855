"""A registered model without this repository: its folder alone, with torch, onnxruntime or MLflow beside it."""

import json
import pickle
import pickletools
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganflow
from ganflow.config.schema import RegisterConfig, TrackingConfig
from ganflow.methods import generator
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import model_package, registration
from ganflow.tracking.registry.model_files import card_of, describe
from ganflow.tracking.runs import run_record
from tests.tracking.mlflow_help import MODEL, SPEC, config_for, open_run, write_model

pytestmark = pytest.mark.slow

METRICS = {"fid": 12.5, "fid_low": 12.0, "fid_high": 13.0, "samples": 10000, "reference": "train"}
STRANGE = replace(SPEC, classes=["`<b>", "a\n# b", "c|d"])


def register(tracking: TrackingConfig, folder: Path, **metrics: Any) -> registration.Version:
    with open_run(tracking, **{"data.name": "digits", "data.path": "s3://me:secret@bucket/x"}) as run:
        write_model(folder / "model", run.run_id, spec=STRANGE)
    return registration.register(config_for(tracking, "pt2", "onnx"), folder / "model", METRICS | metrics)


def folder_of(tracking: TrackingConfig, version: registration.Version) -> Path:
    location = mlflow_client.connect(tracking).get_logged_model(version.model_id).artifact_location
    return Path(location.removeprefix("file://"))


def run(code: str, folder: Path, *arguments: str, **environment: str) -> str:
    """What a program without any ganflow but the one it is given prints at last."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *arguments], capture_output=True, text=True,
                          cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_folder_is_all_that_others_need(tracking: TrackingConfig, tmp_path: Path) -> None:
    folder = folder_of(tracking, register(tracking, tmp_path))
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"README.md", "samples.png", "export/generator.pt2", "export/generator.onnx", model_package.WEIGHTS,
            "requirements.txt", "python_env.yaml", "code/ganflow/signals/image_grid.py"} <= files  # fmt: skip
    text = (folder / "README.md").read_text()
    for said in ("| FID | 12.5 | 12 to 13 |", "recipe: `tests`", "source: `digits`", "path: `s3://***@bucket/x`"):
        assert said in text
    assert "secret" not in text
    by_mlflow, *alone = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert run(f"{by_mlflow}\nprint(len(samples), samples[0][:5])", folder) == "16 iVBOR"  # PNG in base64
    assert len(alone) == 2
    for snippet in alone:
        program = f"import sys; sys.modules['ganflow'] = None\n{snippet}\nprint(pixels.dtype, tuple(pixels.shape))"
        assert run(program, folder).removeprefix("torch.") == "uint8 (16, 1, 8, 8)"


def test_nothing_in_the_folder_is_pickled_or_names_an_import_path(tracking: TrackingConfig, tmp_path: Path) -> None:
    folder = folder_of(tracking, register(tracking, tmp_path))
    contents: dict[str, bytes] = {}
    for path in (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py"):
        contents[path.name] = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents |= {f"{path.name}!{name}": archive.read(name) for name in archive.namelist()}
    assert "generator.pt2!generator/models/model.json" in contents
    assert is_pickle(pickle.dumps(folder)), "the test sees what it looks for"
    assert [name for name, content in contents.items() if is_pickle(content)] == []
    named = {name for name, content in contents.items() if b"ganflow.methods.networks" in content}
    assert named == set()


def is_pickle(content: bytes) -> bool:
    """Whether the whole is a pickle that could call something; torch's zip archives hold theirs as data.pkl."""
    try:
        opcodes = [opcode.name for opcode, *_ in pickletools.genops(content)]
    except ValueError:
        return False
    return bool({"GLOBAL", "STACK_GLOBAL", "REDUCE", "INST", "OBJ"} & set(opcodes))


def test_the_page_of_the_version_shows_the_card_until_a_person_writes_there(
    tracking: TrackingConfig, tmp_path: Path
) -> None:
    register(tracking, tmp_path)
    client, config = mlflow_client.connect(tracking), config_for(tracking)

    def description() -> str:
        return str(client.get_model_version(MODEL, "1").description)

    assert "| FID | 12.5 |" in description()
    assert len(description()) < 5000
    again = registration.register(config, tmp_path / "model", METRICS | {"fid": 9.5})
    assert not again.created
    assert "| FID | 9.5 |" in description()
    client.update_model_version(MODEL, "1", "Ours. " + description())
    edited = description()
    registration.register(config, tmp_path / "model", METRICS | {"fid": 8.5})
    assert description() == edited


def test_what_mlflow_has_no_room_for_is_no_description(tracking: TrackingConfig, tmp_path: Path) -> None:
    version = register(tracking, tmp_path)
    client, record = mlflow_client.connect(tracking), run_record.RunRecord.read(tmp_path / "model/run.json")
    G = generator.load(tmp_path / "model" / generator.FILE)
    card = card_of(RegisterConfig(MODEL), G, record, client.get_run(version.run_id), {})
    known = client.get_model_version(MODEL, "1")
    describe(client, known, replace(card, spec=replace(SPEC, num_classes=80, classes=["x" * 99] * 80)))
    assert client.get_model_version(MODEL, "1").description == known.description


class Unexportable(torch.nn.Linear):
    """A network of somebody's own that looks at numbers."""

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        images = super().forward(z).tanh().unflatten(1, (1, 8, 8))
        return images if float(z.sum()) > 0 else -images


@pytest.mark.usefixtures("messages")
def test_a_network_that_cannot_be_exported_is_registered_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganflow.report.model_card import Card
    from ganflow.tracking.registry import model_files

    model_files.write(
        tmp_path, generator.Generator(Unexportable(4, 64), replace(SPEC, num_classes=0)), Card("m", SPEC, 1)
    )
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[2].partition(":")[0] for line in told] == [
        " the registered model has no generator.pt2", " the registered model has no generator.onnx"
    ]  # fmt: skip
    text = (tmp_path / "README.md").read_text()
    assert "There is no `generator.pt2`: `this network cannot be exported: " in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "samples.png"]


LOAD = """
import json, sys
from pathlib import Path
import ganflow
from ganflow.methods import generator
drawn = generator.load(Path(sys.argv[1])).sample(5, 7)
print(json.dumps({"drawn": drawn.tolist(), "code": ganflow.__file__}))
"""


def test_old_versions_load_after_files_have_moved(tracking: TrackingConfig, tmp_path: Path) -> None:
    folder = folder_of(tracking, register(tracking, tmp_path))
    later = tmp_path / "later"
    shutil.copytree(Path(ganflow.__file__).parent, later / "ganflow", ignore=shutil.ignore_patterns("__pycache__"))
    networks = later / "ganflow/methods/networks"
    (networks / "mlp.py").rename(networks / "perceptron.py")
    for path in later.rglob("*.py"):
        path.write_text(path.read_text().replace("ganflow.methods.networks.mlp", "ganflow.methods.networks.perceptron"))
    said = json.loads(run(LOAD, tmp_path, str(folder / model_package.WEIGHTS), PYTHONPATH=str(later)))
    assert said["code"].startswith(str(later))
    np.testing.assert_array_equal(said["drawn"], generator.load(folder / model_package.WEIGHTS).sample(5, 7))
