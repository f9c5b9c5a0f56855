"""The history of champions, in an order that everybody agrees on; MLflow's alias follows it.

MLflow sets an alias whatever it was before: of two processes that do, both believe to have won. What it gives away only
once is the number of a version. So every change of champion is a version of a registered model of its own,
``NAME.champion``, and says which change it follows. Of two that follow the same one, that with the smaller number
holds, and the other never happened. Nothing is locked, so a process that dies leaves nothing locked; what it had begun
to do after its change stood there, the next one does.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ganflow.tracking import mlflow_client
from ganflow.tracking.registry.registration import DECISION

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PROMOTION, ROLLBACK = "promotion", "rollback"
ROLLED_BACK = f"{DECISION}.rolled_back"  # tag of a version that was champion
HISTORY = "history"  # of the alias, as a tag of the registered model, for people
_SETTLED = "settled"
_VERSION = "version."  # prefix of a change's tags that its champion gets
_SHOWN = 100  # changes in the tag


@dataclass(frozen=True)
class Change:
    """From one champion to another."""

    kind: str  # PROMOTION or ROLLBACK
    left: int | None  # the version that was champion
    to: int
    after: int  # number of the change that this one follows; 0: none
    token: str  # tells it from another's, even if an answer was lost and it was sent again
    when: str
    by: str
    tags: Mapping[str, str] = field(default_factory=dict)  # what version ``to`` is tagged with
    number: int = 0  # its version in the ledger; 0: not there yet
    settled: bool = False  # alias and tags follow it

    def written(self) -> dict[str, str]:
        """As tags of the ledger's version."""
        entry = {"kind": self.kind, "to": self.to, "after": self.after, "token": self.token}
        entry |= {"left": "" if self.left is None else self.left, "when": self.when, "by": self.by}
        return {k: str(v) for k, v in entry.items()} | {f"{_VERSION}{k}": v for k, v in self.tags.items()}

    @classmethod
    def read(cls, number: int, tags: Mapping[str, str]) -> "Change | None":
        """The change that :meth:`written` wrote; None for a tag of another origin."""
        with contextlib.suppress(KeyError, ValueError):
            return cls(
                kind=tags["kind"],
                left=int(tags["left"]) if tags["left"] else None,
                to=int(tags["to"]),
                after=int(tags["after"]),
                token=tags["token"],
                when=tags["when"],
                by=tags["by"],
                tags={k.removeprefix(_VERSION): v for k, v in tags.items() if k.startswith(_VERSION)},
                number=number,
                settled=_SETTLED in tags,
            )
        return None


@dataclass(frozen=True)
class ChampionState:
    """The champion, and the change that made it; a decision holds as long as both stand."""

    champion: int | None
    after: int


def valid(entries: Sequence[Change]) -> list[Change]:
    """The changes that hold: each follows the one before it."""
    held: list[Change] = []
    for entry in sorted(entries, key=lambda entry: entry.number):
        if entry.after == (held[-1].number if held else 0):
            held.append(entry)
    return held


def ancestors(changes: Sequence[Change], champion: int) -> list[int]:
    """The champions before this one, latest first. One that was rolled back is none; one set by hand is."""
    line: list[int] = []
    for change in changes:
        if change.left is not None:
            line = _moved(line, change.left)  # elsewhere only if it was set by hand
        line = _moved(line, change.to) if change.kind == ROLLBACK else [*line, change.to]
    return _moved(line, champion)[-2::-1]


def _moved(line: Sequence[int], version: int) -> list[int]:
    """The line back to a version that is in it, or on to one that is not."""
    back = [i for i, earlier in enumerate(line) if earlier == version]
    return [*line[: back[-1] + 1]] if back else [*line, version]


class Ledger:
    """The changes of one alias of a registered model."""

    def __init__(self, client: "MlflowClient", name: str, alias: str) -> None:
        self.client, self.name, self.alias = client, name, alias
        self.model = f"{name}.{alias}"

    def changes(self) -> list[Change]:
        """Those that hold, in order."""
        read = (Change.read(int(version.version), version.tags) for version in self._versions())
        return valid([change for change in read if change is not None])

    def standing(self) -> ChampionState:
        """The champion, which is the ledger's last change if an interrupted process had no time to set the alias."""
        last = next(reversed(self.changes()), None)
        if last is not None and not last.settled:
            return ChampionState(last.to, last.number)
        alias = self.client.get_registered_model(self.name).aliases.get(self.alias)
        return ChampionState(None if alias is None else int(alias), last.number if last else 0)

    def append(self, change: Change) -> bool:
        """Write a change, unless another that follows the same one was faster; whether it holds."""
        self._create()
        source = f"models:/{self.name}/{change.to}"
        written = self.client.create_model_version(self.model, source=source, tags=change.written())
        if any(held.token == change.token for held in self.changes()):
            return True
        with mlflow_client.absent_is_fine():
            self.client.delete_model_version(self.model, written.version)
        return False

    def reconcile(self) -> None:
        """Let alias and tags follow the last change, if an interrupted process left that undone."""
        changes = self.changes()
        last = changes[-1] if changes else None
        if last is None or last.settled:
            return
        while last is not None:
            self._follow(last, changes)
            # This process may have slept meanwhile and set the alias back: the last change has the last word.
            changes = self.changes()
            last = changes[-1] if changes and changes[-1].number != last.number else None

    def _follow(self, change: Change, changes: Sequence[Change]) -> None:
        with mlflow_client.absent_is_fine():  # the version may have been deleted since
            mlflow_client.put(self.client.set_registered_model_alias, self.name, self.alias, str(change.to))
            for key, value in change.tags.items():
                mlflow_client.put(self.client.set_model_version_tag, self.name, str(change.to), key, value)
        if change.kind == ROLLBACK and change.left is not None:
            with mlflow_client.absent_is_fine():
                change_text = f"at {change.when} by {change.by}, to version {change.to}"
                mlflow_client.put(
                    self.client.set_model_version_tag, self.name, str(change.left), ROLLED_BACK, change_text
                )
        mlflow_client.put(self.client.set_registered_model_tag, self.name, f"{self.alias}.{HISTORY}", _told(changes))
        mlflow_client.put(self.client.set_model_version_tag, self.model, str(change.number), _SETTLED, "true")

    def _create(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            description = (
                f"Every {self.alias} of {self.name} in order, written by ganflow: do not edit. A version is a change."
            )
            self.client.create_registered_model(self.model, description=description)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _versions(self) -> "Iterator[ModelVersion]":
        token = None
        while True:
            page = self.client.search_model_versions(f"name = '{self.model}'", max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def _told(changes: Sequence[Change]) -> str:
    """The latest changes as JSON, oldest first."""
    rows = [{"when": c.when, "kind": c.kind, "from": c.left, "to": c.to, "by": c.by} for c in changes[-_SHOWN:]]
    return json.dumps(rows)
