"""Promotion and rollback in MLflow's registry: who meets whom, and what is written once the gate has decided.

A decision is written in this order, so that what an interrupted process leaves is true, or is made true by the next:
the artifacts of the challenger's run; the change in the ledger, from which on the promotion stands; alias and tags,
which follow the ledger.
"""

import getpass
import re
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ganflow.config.schema import Config
from ganflow.errors import GanflowError
from ganflow.evaluation.gate import MOVED, Check, Contender, Decision
from ganflow.report import promotion_page as report
from ganflow.report.promotion_page import Record
from ganflow.terminal.redaction import redact
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import logged_model, trained_on
from ganflow.tracking.registry.champion_log import PROMOTION, ROLLBACK, ChampionState, Change, Ledger, ancestors
from ganflow.tracking.registry.registration import DECISION
from ganflow.tracking.runs.flat_params import loggable

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException

FOLDER = "promotion"  # of a run's artifacts
FORMS = "NAME, NAME@ALIAS or NAME/VERSION"


@dataclass(frozen=True)
class Candidate:
    """A challenger and who it has to beat."""

    name: str
    challenger: int
    run_id: str
    standing: ChampionState

    @property
    def uris(self) -> tuple[str, str | None]:
        """Addresses of challenger and champion."""
        champion = self.standing.champion
        return f"models:/{self.name}/{self.challenger}", None if champion is None else f"models:/{self.name}/{champion}"


class Promoter:
    """One registered model and the alias of its champion.

    Args:
        config: where MLflow is, and how the aliases are called.
        address: NAME, NAME@ALIAS or NAME/VERSION; None: ``register.name``.

    Raises:
        GanflowError: no answer, or no such model.
    """

    def __init__(self, config: Config, address: str | None = None) -> None:
        self.config, self.store = config, mlflow_client.uri_of(config.tracking)
        parts = re.fullmatch(r"(?:models:/)?([\w.-]+)(?:@([\w-]+)|/(\d+))?", address or config.register.name)
        if parts is None:
            raise GanflowError(f"{address}: no form of a challenger's address; give {FORMS}")
        self.name, alias, number = parts.groups()
        self._challenger = number or alias or config.register.alias
        self._client = mlflow_client.connect(config.tracking, create=False)
        self.ledger = Ledger(self._client, self.name, config.promotion.alias)

    def reconcile(self) -> None:
        """Finish what an interrupted promotion or rollback began."""
        with mlflow_client.telling(self.store):
            self.ledger.reconcile()

    def candidate(self) -> Candidate:
        """Return the challenger and the champion that it has to beat; write nothing.

        Raises:
            GanflowError: no such model, version or alias; one that was trained on another data set than the champion.
        """
        with mlflow_client.telling(self.store):
            version, standing = self._version(), self.ledger.standing()
            number, gate = int(version.version), self.config.promotion
            trained_on.check_same(self._client, self.name, number, standing.champion, gate)
            return Candidate(self.name, number, logged_model.run_id(version), standing)

    def conclude(self, candidate: Candidate, record: Record) -> Record:
        """Write a decision; promote, if the gate holds and there is no other champion meanwhile.

        Returns:
            The record with time and name, refused if another promotion was faster.
        """
        measured, against = _clean(record.measured), None if record.against is None else _clean(record.against)
        record = replace(record, when=_now(), by=_who(), measured=measured, against=against)
        with mlflow_client.telling(self.store):
            self.ledger.reconcile()
            if self.ledger.standing() != candidate.standing:
                record = _overtaken(record)
            file = f"{FOLDER}/{re.sub('[^0-9TZ]', '', record.when)}-{uuid.uuid4().hex[:6]}"
            self._write(candidate, record, file)
            if record.decision.promoted and not self._promote(candidate, record, file):
                record = _overtaken(record)
                self._write(candidate, record, file)
            if not record.decision.promoted:
                for key, value in _tags(candidate, record, file).items():
                    mlflow_client.put(
                        self._client.set_model_version_tag, self.name, str(candidate.challenger), key, value
                    )
        return record

    def rollback(self) -> Change:
        """Set the champion before this one back.

        Raises:
            GanflowError: there is no champion, or none before it; another process was faster.
        """
        with mlflow_client.telling(self.store):
            self.ledger.reconcile()
            now = self._standing()
            alias = self.config.promotion.alias
            if now.champion is None:
                raise GanflowError(f"{self.name} has no {alias}, so there is none to go back from")
            earlier = ancestors(self.ledger.changes(), now.champion)
            to = next((version for version in earlier if self._exists(version)), None)
            if to is None:
                gone = f"; {', '.join(map(str, earlier))} were deleted" if earlier else ""
                raise GanflowError(f"{self.name} has had no {alias} before version {now.champion}{gone}")
            change = Change(ROLLBACK, now.champion, to, now.after, uuid.uuid4().hex, _now(), _who())
            if not self.ledger.append(change):
                raise GanflowError(f"{self.name} got another {alias} meanwhile, so nothing was rolled back")
            self.ledger.reconcile()
        return change

    def history(self) -> list[Change]:
        """Every change of champion, in order; writes nothing."""
        with mlflow_client.telling(self.store):
            self._standing()
            return self.ledger.changes()

    def _promote(self, candidate: Candidate, record: Record, file: str) -> bool:
        now, tags = candidate.standing, _tags(candidate, record, file)
        change = Change(
            PROMOTION, now.champion, candidate.challenger, now.after, uuid.uuid4().hex, record.when, record.by, tags
        )
        held = self.ledger.append(change)
        self.ledger.reconcile()
        return held

    def _write(self, candidate: Candidate, record: Record, file: str) -> None:
        try:
            self._client.log_text(candidate.run_id, report.as_json(record), f"{file}.json")
            self._client.log_text(candidate.run_id, report.page(record), f"{file}.html")
        except OSError as error:  # of the artifacts' own store
            why = f"the decision cannot be written to run {candidate.run_id}: {mlflow_client.reason(error)}"
            raise GanflowError(f"{why}; nothing was promoted") from None

    def _standing(self) -> ChampionState:
        from mlflow.exceptions import MlflowException

        try:
            return self.ledger.standing()
        except MlflowException as error:
            raise self._unknown(error, self.name) from None

    def _version(self) -> "ModelVersion":
        from mlflow.exceptions import MlflowException

        which = self._challenger
        try:
            if which.isdecimal():
                return self._client.get_model_version(self.name, which)
            return self._client.get_model_version_by_alias(self.name, which)
        except MlflowException as error:
            raise self._unknown(error, f"{self.name}{'/' if which.isdecimal() else '@'}{which}") from None

    def _unknown(self, error: "MlflowException", what: str) -> BaseException:
        """The error for a model that MLflow does not have."""
        if error.error_code not in (*mlflow_client.ABSENT, "INVALID_PARAMETER_VALUE"):
            return error
        return GanflowError(
            f"models:/{what} is not registered: {mlflow_client.reason(error)}; `ganflow register` registers model/"
        )

    def _exists(self, version: int) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_model_version(self.name, str(version))
        except MlflowException as error:
            if error.error_code not in mlflow_client.ABSENT:
                raise
            return False
        return True


def _overtaken(record: Record) -> Record:
    why = f"the {record.gate.alias} changed while the two were compared; run it again to meet the new one"
    check = Check(MOVED, record.gate.alias, None, record.champion, None, False, why)
    return replace(record, decision=Decision([*record.decision.checks, check]))


def _tags(candidate: Candidate, record: Record, file: str) -> dict[str, str]:
    """The decision in short, as a version's tags."""
    against = "promotion.first" if record.champion is None else f"version {record.champion}"
    measured = [check for check in record.decision.checks if check.challenger is not None]
    figures = {
        c.figure: f"{c.challenger:.4g}" if c.champion is None else f"{c.challenger:.4g} against {c.champion:.4g}"
        for c in measured
    }
    tags = {
        "when": record.when,
        "by": record.by,
        "against": against,
        "figures": "; ".join(f"{figure} {text}" for figure, text in figures.items()),
        "reasons": "; ".join(record.decision.reasons),
        "artifact": f"runs:/{candidate.run_id}/{file}.html",
    }
    verdict = "promoted" if record.decision.promoted else "refused"
    return {DECISION: verdict} | loggable({f"{DECISION}.{key}": value for key, value in tags.items()})


def _clean(side: Contender) -> Contender:
    reference, extractor = (redact(name) for name in (side.protocol.reference, side.protocol.extractor))
    return replace(side, protocol=replace(side.protocol, reference=reference, extractor=extractor))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
