"""`ganflow import`: weights that another code base published become a model's folder, as training writes it."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ganflow import records
from ganflow.atomic_files import PARTIAL, sync_folder
from ganflow.errors import GanflowError, require
from ganflow.methods import generator
from ganflow.methods.imported.build import Asked, PublishedModel, read_published
from ganflow.methods.players import players_file

RECORD = "imported.json"


@dataclass(frozen=True)
class ImportRecord:
    """The origin of an imported model, beside its weights; ``overrides`` are of a training that starts from it."""

    file: str
    sha256: str
    overrides: list[str]


def import_model(
    file: Path,
    to: Path,
    network: str,
    options: Sequence[str],
    discriminator: Path | None = None,
    generator_only: bool = False,
) -> list[str]:
    """Write the model in a published file into a new folder, and give lines to print.

    Args:
        file: a .safetensors file, or what ``torch.save`` wrote of state dicts.
        to: the folder, which must not be there.
        network: the architecture; "" where the tensors' names are to tell.
        options: ``key=value`` of what no tensor tells.
        discriminator: the file of the discriminator, where it has one of its own.
        generator_only: leave the discriminator out.

    Raises:
        GanflowError: a file that holds code or is damaged, a network that there is not here, a folder that is there.
    """
    require(not to.exists(), "to", to, "is there already; name a new folder, or remove it")
    both = discriminator is not None and generator_only
    require(not both, "generator-only", True, "leaves the discriminator out, and --discriminator names one")
    asked = Asked(file, network, dict(map(_option, options)), discriminator, generator_only)
    model = read_published(asked)
    origin = ImportRecord(file.name, _digest(file), model.overrides)
    with _new_folder(to) as folder:
        _write(folder, model, origin)
    start = " ".join([*model.overrides, f"training.start={to}"])
    return [*model.lines, f"written: {to}/", f"a training starts from it by: {start}"]


def _option(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    require(bool(equals), "options", text, "must be key=value, as in clamp=0")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise GanflowError(f"{text}: its value is not valid YAML; give a number or a word") from None


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(folder: Path, model: PublishedModel, origin: ImportRecord) -> None:
    generator.save(folder / generator.FILE, model.generator, model.spec)
    if model.players:
        players_file.save(folder / players_file.FILE, model.players)
    records.write(folder / RECORD, origin)


@contextlib.contextmanager
def _new_folder(to: Path) -> Iterator[Path]:
    """A folder beside its place, which gets its name once the block has filled it, and is removed if it has not."""
    part = to.with_name(f".{to.name}.{os.getpid()}{PARTIAL}")
    try:
        part.mkdir(parents=True)
        yield part
        sync_folder(part)
        part.rename(to)
    except OSError as error:
        raise GanflowError(f"{to} cannot be written: {error.strerror}; name a folder that you may write to") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
