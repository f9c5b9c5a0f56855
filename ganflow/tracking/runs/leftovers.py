"""What earlier drivers of this folder could not deliver."""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganflow.config.schema import TrackingConfig
from ganflow.terminal.console import tell
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs.spool import Spool, spools
from ganflow.tracking.runs.upload_queue import Outbox
from ganflow.tracking.runs.uploader import Delivery

PATIENCE_S = 60.0


def continued(outbox: Path, config: TrackingConfig, fingerprint: str) -> Spool | None:
    """The spool of the latest run of this fingerprint on this server that may go on."""
    mine = (s for s in _of_server(outbox, config) if s.about.fingerprint == fingerprint and not s.about.ending)
    return next(mine, None)


def settle_ended(outbox: Path, config: TrackingConfig, fingerprint: str, client: Any) -> None:
    """Deliver now what is left of this fingerprint's runs that are over, so that none of them goes on."""
    for spool in _of_server(outbox, config):
        if spool.about.fingerprint == fingerprint and spool.about.ending:
            _settle(spool, config, client)


def settle_others(outbox: Path, config: TrackingConfig, run_id: str, client: Any) -> None:
    """Deliver what is left of all runs but this one, one after the other, without making the caller wait."""
    others = [spool for spool in _of_server(outbox, config) if spool.about.run_id != run_id]
    if others:
        work = threading.Thread(target=_settle_all, args=(others, config, client), name="mlflow-leftovers", daemon=True)
        work.start()


def _settle_all(several: Iterable[Spool], config: TrackingConfig, client: Any) -> None:
    for spool in several:
        _settle(spool, config, client)


def _settle(spool: Spool, config: TrackingConfig, client: Any) -> None:
    """Deliver what is left of a run and forget it, unless its driver is alive or the server goes away again."""
    from mlflow.exceptions import MlflowException

    about = spool.about
    try:
        spool.open()
        if _is_gone(client, about.run_id):
            tell(f"MLflow run {about.run_id} was deleted; {spool.left:,} metrics and files for it go, too")
            spool.remove()
            return
    except (OSError, MlflowException):
        spool.close()
        return
    delivery = Delivery(config, about.run_id, client)
    ending = about.ending
    box = Outbox(spool, delivery, delivery.describe)
    if box.close(PATIENCE_S, last=(lambda: delivery.end(ending)) if ending else None) is None:
        spool.remove()
    else:
        spool.close()


def _is_gone(client: Any, run_id: str) -> bool:
    """Whether somebody deleted the run."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "deleted")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return True
        raise


def _of_server(outbox: Path, config: TrackingConfig) -> list[Spool]:
    return [spool for spool in spools(outbox) if spool.about.server == mlflow_client.name_of(config)]
