"""`ganflow import`: a folder that is a model, or none at all."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from ganflow.cli.app import app
from ganflow.commands.import_model import RECORD
from ganflow.errors import GanflowError
from ganflow.methods import generator
from ganflow.methods.players import players_file
from ganflow.methods.start import Start
from tests.methods.imported import published
from tests.support.poison import saved, sha256

ADA = {4: 8, 8: 4}


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ganflow(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def write(path: str) -> None:
    D = published.ada_discriminator(ADA, residual=False)
    torch.save({"G_ema": published.ada_generator(ADA), "G": published.ada_generator(ADA, w=5), "D": D}, path)


def test_the_folder_is_a_model_that_generate_and_a_training_take() -> None:
    write("theirs.pt")
    done = ganflow("import", "theirs.pt", "--to", "model", "clamp=0")
    assert done.exit_code == 0
    assert done.output.splitlines()[-2] == "written: model/"
    assert done.output.splitlines()[-1].endswith(" training.start=model")
    assert {file.name for file in Path("model").iterdir()} == {generator.FILE, players_file.FILE, RECORD}
    record = json.loads(Path("model", RECORD).read_text())
    assert (record["file"], record["sha256"]) == ("theirs.pt", sha256(Path("theirs.pt").read_bytes()))
    assert "gan.generator.width=8" in record["overrides"]
    assert "gan.generator.clamp=0" not in " ".join(record["overrides"])
    assert ganflow("generate", "--model", "model", "-n", "4", "--truncation", "0.5", "--out", "grid.png").exit_code == 0
    assert Path("grid.png").is_file()
    start = Start.of("theirs", Path("model", generator.FILE), Path("model", players_file.FILE))
    assert start.generator == "stylegan2"
    assert set(start.players) == {"G", "D"}


def test_the_generator_alone_has_no_players() -> None:
    write("theirs.pt")
    torch.save(published.ada_generator(ADA), "theirs.pt")
    assert ganflow("import", "theirs.pt", "--to", "model").exit_code == 0
    assert {file.name for file in Path("model").iterdir()} == {generator.FILE, RECORD}


def refusal(*arguments: str) -> str:
    done = ganflow("import", *arguments)
    assert isinstance(done.exception, GanflowError)
    assert "\n" not in str(done.exception)
    return str(done.exception)


def test_code_leaves_no_folder_and_does_not_run() -> None:
    Path("network-snapshot.pkl").write_bytes(saved(Path("trace")))
    line = refusal("network-snapshot.pkl", "--to", "model")
    assert line.startswith("network-snapshot.pkl holds more than tensors, and reading that could run code")
    assert {file.name for file in Path().iterdir()} == {"network-snapshot.pkl"}


def test_a_folder_that_is_there_stays_as_it_is() -> None:
    write("theirs.pt")
    Path("model").mkdir()
    assert refusal("theirs.pt", "--to", "model") == "to=model: is there already; name a new folder, or remove it"
    assert list(Path("model").iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line() -> None:
    write("theirs.pt")
    assert refusal("theirs.pt", "--to", "theirs.pt/model").startswith("theirs.pt/model cannot be written: ")
    assert {file.name for file in Path().iterdir()} == {"theirs.pt"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["clamp"], "options=clamp: must be key=value, as in clamp=0"),
        (["clamp=high"], "stylegan2.clamp=high: must be a number"),
        (["clamp=[1"], "clamp=[1: its value is not valid YAML; give a number or a word"),
        (
            ["--discriminator", "D.pth", "--generator-only"],
            "generator-only=True: leaves the discriminator out, and --discriminator names one",
        ),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], line: str) -> None:
    write("theirs.pt")
    assert refusal("theirs.pt", "--to", "model", *arguments) == line
    assert not Path("model").exists()
