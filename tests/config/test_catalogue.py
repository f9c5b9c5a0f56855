import dataclasses
import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ganflow.methods.losses
from ganflow.config import catalogue, components
from tests.support.patience import patience
from tests.support.project import ROOT

EVERY = [(group, name) for group in components.GROUPS for name in components.choices(group)]
READ = """
import json, sys
from ganflow.config import catalogue
from ganflow.config.components import GROUPS
whole = {group: {name: dataclasses(entry) for name, entry in catalogue.entries(group).items()} for group in GROUPS}
print(json.dumps({"torch": "torch" in sys.modules, "groups": whole}))
"""
DESCRIBE = """
def dataclasses(entry):
    options = {name: [repr(option.kind), repr(option.default)] for name, option in entry.options.items()}
    return {"title": entry.title, "about": entry.about, "options": options, "declares": entry.declares}
"""


def read_alone(cache: Path) -> Any:
    """The catalogue as a process of its own reads it, and whether that imported torch."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", DESCRIBE + READ]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=patience(120))
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A cache folder, and what the first and the second process of a new machine read."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, read_alone(cache), read_alone(cache)


@pytest.fixture
def file(made: tuple[Path, Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kept catalogue of a cache folder that is this test's own, in a process that imported no component yet."""
    shutil.copytree(made[0], tmp_path / "cache")
    (path,) = (tmp_path / "cache/ganflow/catalogue").iterdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(components, "any_registered", lambda: False)
    return path


def read_anew() -> catalogue.Catalogue:
    return catalogue._catalogue.__wrapped__()


def test_the_second_process_reads_the_same_without_torch(made: tuple[Path, Any, Any]) -> None:
    _, first, second = made
    assert (first["torch"], second["torch"]) == (True, False)
    assert second["groups"] == first["groups"]


@pytest.mark.parametrize(("group", "name"), EVERY)
def test_it_says_of_a_component_what_its_class_says(group: str, name: str, made: tuple[Path, Any, Any]) -> None:
    cls, entry = components.choices(group)[name], made[2]["groups"][group][name]
    assert (entry["title"], entry["about"]) == (cls.__name__, str(inspect.getdoc(cls)).splitlines()[0])
    parameters = inspect.signature(cls, eval_str=True).parameters
    options = {key: p for key, p in parameters.items() if p.default is not p.empty}
    kinds = {key: kind for key, (kind, _) in entry["options"].items()}
    assert list(kinds.items()) == [(key, repr(p.annotation)) for key, p in options.items()]
    defaults = {key: default for key, (_, default) in entry["options"].items()}
    made_anew = [key for key in defaults if "factory" in repr(options[key].default)]  # a dataclass's own lists
    assert defaults == {key: repr(p.default) for key, p in options.items()} | {key: defaults[key] for key in made_anew}


def test_it_has_every_component_in_the_order_of_names(made: tuple[Path, Any, Any]) -> None:
    assert {group: list(named) for group, named in made[2]["groups"].items()} == {
        group: list(components.choices(group)) for group in components.GROUPS
    }


def test_it_has_what_configuration_asks_of_metrics_and_methods(made: tuple[Path, Any, Any]) -> None:
    groups = made[2]["groups"]
    for name, cls in components.choices("metric").items():
        assert groups["metric"][name]["declares"] == {
            "figures": {figure: vars(words) for figure, words in vars(cls)["figures"].items()},
            "bounded": getattr(cls, "bounded"),  # noqa: B009
        }
    assert groups["method"]["vae"]["declares"] == {
        "sections": ["gan", "vae"],
        "schedulable": ["vae.sigma", "vae.beta"],
        "optimizers": {"G": "optimizers.generator"},
    }


def test_its_schemas_are_the_classes_own(file: Path) -> None:
    whole = read_anew()
    for group, name in EVERY:
        entry = whole[group][name]
        ours, theirs = (
            [(f.name, f.type, getattr(schema(), f.name)) for f in dataclasses.fields(schema)]
            for schema in (components.structure(entry.title, name, entry.options), components.schema(group, name))
        )
        assert ours == theirs
        assert [type(value) for *_, value in ours] == [type(value) for *_, value in theirs]


@pytest.mark.parametrize(
    "damaged",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole.replace(b"0.5", b"0.6", 1),
        lambda whole: b"{}",
        lambda whole: b"\x80\x04N.",
    ],
    ids=["empty", "cut off", "another value", "without a checksum", "a pickle"],
)
def test_a_damaged_one_is_made_anew(damaged: Any, file: Path) -> None:
    whole, catalogue_before = file.read_bytes(), read_anew()
    assert damaged(whole) != whole
    file.write_bytes(damaged(whole))
    assert read_anew() == catalogue_before
    assert file.read_bytes() == whole


def test_where_nothing_can_be_kept_it_is_right_all_the_same(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_anew()
    (tmp_path / "occupied").write_text("a file, where a folder would have to be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "occupied"))
    assert read_anew() == whole
    assert (tmp_path / "occupied").is_file()
    monkeypatch.setenv("XDG_CACHE_HOME", "")

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert read_anew() == whole


def test_it_is_kept_below_the_home_where_no_cache_folder_is_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for unset in ("", "relative/is/not/valid"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        monkeypatch.setenv("HOME", str(tmp_path / f"home of {unset[:3]}"))
        read_anew()
        kept = tmp_path / f"home of {unset[:3]}" / ".cache/ganflow/catalogue" / file.name
        assert kept.read_bytes() == file.read_bytes()


def test_it_belongs_to_the_content_of_the_sources_not_to_their_time(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    monkeypatch.setattr(ganflow.methods.losses, "__path__", [*ganflow.methods.losses.__path__, str(more)])
    assert catalogue._digest() == file.stem
    source = more / "another.py"
    source.write_text("SLOPE = 0.1\n")
    digest = catalogue._digest()
    assert digest != file.stem
    os.utime(source, (1, 1))
    assert catalogue._digest() == digest
    source.write_text("SLOPE = 0.2\n")
    assert catalogue._digest() not in (digest, file.stem)
    (more / "notes.txt").write_text("not a source")
    (more / ".#another.py").symlink_to("the lock of an editor")
    source.write_text("SLOPE = 0.1\n")
    assert catalogue._digest() == digest


def test_what_a_process_that_has_components_makes_is_not_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "any_registered", lambda: True)
    whole = read_anew()
    file.unlink()
    assert read_anew() == whole
    assert not file.exists()


def test_sources_that_change_while_it_is_made_leave_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = iter(["before", "after"])
    monkeypatch.setattr(catalogue, "_digest", lambda: next(digests))
    read_anew()
    assert list(file.parent.iterdir()) == [file]
    assert next(digests, None) is None


def test_the_oldest_states_are_let_go(file: Path) -> None:
    for age in range(catalogue.KEPT + 3):
        older = file.with_name(f"{age:064x}.json")
        older.write_text("")
        os.utime(older, (1000 - age, 1000 - age))
    whole = file.read_bytes()
    file.unlink()
    read_anew()
    assert file.read_bytes() == whole
    assert {other.name for other in file.parent.iterdir()} == {
        file.name, *(f"{age:064x}.json" for age in range(catalogue.KEPT - 1)),
    }  # fmt: skip


WRITE = """
import sys
from ganflow.config import catalogue
entry = catalogue.Entry("Title", sys.argv[1] * 100000, {}, {})
for _ in range(100):
    catalogue._keep("shared", {"loss": {"hinge": entry}})
"""


def test_processes_that_write_at_once_leave_a_whole_one_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, letter], env=environment) for letter in "ab"]
    read = []
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "ganflow/catalogue/shared.json").exists():
            read.append(catalogue._read("shared"))
    assert [writer.wait() for writer in writers] == [0, 0]
    assert read
    assert None not in read
    assert {stored["loss"]["hinge"]["about"][:1] for stored in read if stored} <= {"a", "b"}


def test_an_option_of_a_type_that_params_yaml_does_not_have_is_refused() -> None:
    with pytest.raises(
        TypeError, match="an option is text, a number, a list, a mapping or None, not <class 'complex'>"
    ):
        catalogue._spelled(list[complex])
