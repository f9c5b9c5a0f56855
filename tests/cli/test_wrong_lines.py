"""What a person may type wrongly, word for word, and the one line that it ends in."""

import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from ganflow import cli
from ganflow.cluster.workers.scaling import NO_GPU, ScalingPolicy
from ganflow.config import components, composition
from ganflow.config.recipes import built_in
from ganflow.config.schema import ClusterConfig, Config, TrainingConfig
from ganflow.errors import GanflowError
from ganflow.storage import localize, open_storage

pytestmark = pytest.mark.slow

TOP = ", ".join(field.name for field in fields(Config))
TRAINING = ", ".join(field.name for field in fields(TrainingConfig))
RECIPES = ", ".join(built_in.names())
PLACES = [place for spec in components.GROUPS.values() for place in (*spec.slots, spec.key) if place]
SLOTS = ", ".join(["experiment", *PLACES])
LOSSES, SOURCES, EXTRACTORS, REGULARIZERS, OPTIMIZERS, GENERATORS = (
    ", ".join(components.choices(group))
    for group in ("loss", "source", "extractor", "regularizer", "optimizer", "generator")
)
RATES = "did you mean optimizers.generator.lr, optimizers.discriminator.lr or optimizers.encoder.lr?"
KIMG = "did you mean training.kimg (thousands of real images: epochs × images / 1000)?"
MODELS = "models:/NAME@ALIAS, models:/NAME/3, models:/m-ID, runs:/RUN_ID, or a file"
GIVE = f"give a model ({MODELS}) or images (a folder, zip, tar or .npz, local or s3://)"
TOLD = "`ganflow {} --help` tells what there is"


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


LOADING = re.compile(r"generate: loading the model, \d+ s so far")


def line_of(words: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line that a command which must fail writes to stderr, without ``ganflow:`` before it.

    On a slow machine there may be notes before it, for how long a model has been loading.
    """
    monkeypatch.setattr(sys, "argv", ["ganflow", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    (line,) = (each for each in said.err.splitlines() if not LOADING.fullmatch(each))
    return line.removeprefix("ganflow: ")


COMPOSED = [
    # The table of what new users typed.
    ("gan.loss=hinge", "gan.loss=hinge: takes no name; a component is chosen by its group: gan/loss=hinge"),
    ("evaluation.metrics=[fid]",
     "evaluation.metrics=[fid]: takes no name; a component is chosen by its group: evaluation/metrics=[fid]"),
    ("data=mnist", f"data=mnist: one of {SOURCES}; mnist is a recipe, experiment=mnist, and has data=idx"),
    ("gan/loss=wgan",
     f"gan/loss=wgan: one of {LOSSES}; wgan is a recipe, experiment=wgan, and has gan/loss=wasserstein"),
    ("method=vea", "method=vea: one of f_anogan, gan, ganomaly, regression, vae; did you mean vae?"),
    ("experiment=DCGAN", f"experiment=DCGAN: one of {RECIPES}; did you mean dcgan?"),
    ("training.lr=0.1", f"training.lr: no such key; training has {TRAINING}; {RATES}"),
    ("lr=0.1", f"lr: no such key; params.yaml has {TOP}; {RATES}"),
    ("training.epochs=3", f"training.epochs: no such key; training has {TRAINING}; {KIMG}"),
    ("batch_size=3", f"batch_size: no such key; params.yaml has {TOP}; did you mean training.batch?"),
    ("recipe=wgan", "recipe=wgan: is written by experiment=; experiment=wgan takes that recipe"),
    # Others of their kind.
    ("evaluation.metrics=fid",
     "evaluation.metrics=fid: takes no name; a component is chosen by its group: evaluation/metrics=[fid]"),
    ("gan.loss.name=hinge", "gan.loss.name=hinge: a component comes with its options: gan/loss=hinge"),
    ("gan/loss=lsgan",
     f"gan/loss=lsgan: one of {LOSSES}; lsgan is a recipe, experiment=lsgan, and has gan/loss=least_squares"),
    ("gan/loss=Hinge", f"gan/loss=Hinge: one of {LOSSES}; did you mean hinge?"),
    ("gan/generator=r1", f"gan/generator=r1: one of {GENERATORS}; did you mean gan/regularizers=[r1]?"),
    ("experiment=", f"experiment=: one of {RECIPES}; own recipes are files recipes/NAME.yaml that git tracks"),
    ("evaluation/extractor=inceptoin",
     f"evaluation/extractor=inceptoin: one of {EXTRACTORS}; did you mean inception?"),
    ("gan/regularizers=[r1,lecan]", f"gan/regularizers=lecan: one of {REGULARIZERS}; did you mean lecam?"),
    ("optimizers/generator=Adamm", f"optimizers/generator=Adamm: one of {OPTIMIZERS}; did you mean adam?"),
    ("training.batch=128MB", "training.batch=128MB: must be an integer"),
    ("training.kimg=100k", "training.kimg=100k: must be a number"),
    ("training.mirror=maybe", "training.mirror=maybe: must be true or false"),
    ("register.exports=onnx", "register.exports=onnx: must be a list, as in [a,b]"),
    ("training.batch=", "training.batch=: has no value; it must be an integer"),
    ("training.batch", "training.batch: has no value; give training.batch=VALUE"),
    ("batchsize", "batchsize: has no value; give batchsize=VALUE; did you mean training.batch?"),
    ("training.batch=-4", "training.batch=-4: must be more than 0"),
    ("optimizers.generator.lr=0,0002", "optimizers.generator.lr=0,0002: takes one value, decimals after a point; "
     "several are for `dvc exp run --queue -S optimizers.generator.lr=0,0002`"),
    ("seed = 3", "seed = 3: is not a valid override; give key=value without spaces around =, or group=choice"),
    ("training/batch=3", "training/batch=3: is not a group of components; a value is set with dots: training.batch=3"),
    ("gan/regularisers=[r1]", "gan/regularisers=[r1]: is not a group of components; did you mean gan/regularizers?"),
    ("gan/regularizers=[r1", "gan/regularizers=[r1: has brackets, braces or quotes that do not match, or a character "
     "that wants quotes within them; put text in double quotes and the whole override in single ones"),
    ("~training.batch", "~training.batch: cannot be taken out; training.batch=… sets it"),
    ("~gan/regularizers", "~gan/regularizers: cannot be taken out; gan/regularizers=[] takes none"),
    ("gan.discriminator.widths=256", "gan.discriminator.widths=256: must be a list, as in [a,b]"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "line"), COMPOSED)
def test_a_wrong_override_says_the_right_one(
    override: str, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line_of(["config", "compose", override], capsys, monkeypatch) == line
    assert list(Path().iterdir()) == []


COMMANDS = [
    ("confg", f"No such command 'confg'. Did you mean 'config'?; {TOLD.format('').replace('  ', ' ')}"),
    ("config compse", f"No such command 'compse'. Did you mean 'compose'?; {TOLD.format('config')}"),
    ("config compose --training.batch=3", f"No such option: --training.batch; {TOLD.format('config compose')}"),
    ("config choices loss", f"group=loss: one of {SLOTS}; did you mean gan/loss?"),
    ("config choices recipes", f"group=recipes: one of {SLOTS}; did you mean experiment?"),
    ("config choices fid", f"group=fid: one of {SLOTS}; did you mean evaluation/metrics?"),
    ("config show training.btach", "params.yaml is missing; `ganflow config compose` writes it"),
    ("config compose --out /proc/x/params.yaml", "/proc/x/params.yaml cannot be written: No such file or directory; "
     "name a file in a folder that you may write to"),
    ("compare a b", f"samples=a: no such file or folder; {GIVE}"),
    ("evaluate --samples theirs/", f"samples=theirs/: no such file or folder; {GIVE}"),
    ("evaluate", "Missing option '--samples': A folder, zip or tar of images, an .npz, or a model; "
     f"{TOLD.format('evaluate')}"),
    ("generate --model model/ --out g.png", f"no generator at model/; give {MODELS}"),
    ("generate --model models:/x@champion --out g.png", "no MLflow store at mlflow.db; `dvc repro` makes it, or set "
     "MLFLOW_TRACKING_URI or tracking.uri to a server that runs"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "line"), COMMANDS)
def test_a_wrong_command_says_what_to_give(
    words: str, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line_of(words.split(), capsys, monkeypatch) == line


def test_samples_without_data_to_hold_them_against(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("theirs").mkdir()
    assert line_of(["evaluate", "--samples", "theirs"], capsys, monkeypatch) == (
        "reference=data: no such file or folder; `dvc repro prepare` makes data/, or --reference names images or a "
        "data set"
    )


def test_a_mistyped_part_is_shown_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["ganflow", "config", "compose"])
    with pytest.raises(SystemExit):
        cli.main()
    capsys.readouterr()
    line = f"training.btach: no such key; training has {TRAINING}; did you mean training.batch?"
    assert line_of(["config", "show", "training.btach"], capsys, monkeypatch) == line


PATHS = [
    "~/photos", "/my photos/x", "/a(1)", "/a#1", "/Bücher", "/a,b", "/a b, c (d) #e!", "it's", 'a"b', "a\\", "a\\'b",
    "007", "1e3", "true", "a=b", "/x/{y}", "/a [1]", "s3://bucket/a b", "C:&d;e|f<g>", "日本",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_taken_as_it_is_typed(path: str) -> None:
    assert composition.compose(["data=image_folder", f"data.path={path}"]).data["path"] == path
    params = composition.compose(["data=image_folder"])
    assert composition.override(params, [f"data.path={path}"]).data["path"] == path


def test_a_home_folder_is_that_of_whoever_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert localize("~/photos", tmp_path) == tmp_path / "photos"
    assert localize("~nobody-of-that-name/x", tmp_path) == Path("~nobody-of-that-name/x")


@pytest.mark.parametrize("place", ["s3:/bucket/x", "S3://bucket/x", "gs://bucket/x", "s3:bucket"])
def test_a_mistyped_address_is_no_folder(place: str, tmp_path: Path) -> None:
    for action in (lambda: localize(place, tmp_path), lambda: open_storage(place)):
        with pytest.raises(GanflowError) as refused:
            action()
        assert str(refused.value) == f"{place}: storage is a path or s3://bucket/prefix"


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"Resources": {"CPU": 2.0}, "NodeID": "a", "Alive": True}]
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ScalingPolicy, "_alive", lambda self: nodes)
    with pytest.raises(GanflowError) as refused:
        ScalingPolicy(ClusterConfig(gpu=True)).gpu()
    assert str(refused.value) == f"cluster.gpu=True: {NO_GPU}"
    assert ScalingPolicy(ClusterConfig(gpu="auto")).gpu() is False
    assert ScalingPolicy(ClusterConfig(gpu=True, address="10.0.0.1:6379")).gpu() is True  # nodes may still come
