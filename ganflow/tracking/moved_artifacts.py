"""Artifacts of a SQLite store that was moved or copied with its project, found beside the file again.

MLflow writes absolute paths into its tables. Here artifacts lie in ``mlruns`` beside the file, so when a run's files
lie there and its row says another place, every row that names that place follows. This is the one file that knows
MLflow's tables; what it does not know it leaves alone.
"""

import contextlib
import logging
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ganflow.errors import GanflowError
from ganflow.terminal.console import entry_point

logger = logging.getLogger(__name__)

FOLDER = "mlruns"
# Columns with a place. The first two are those whose folders can lie there.
_RUNS = (("runs", "artifact_uri"), ("logged_models", "artifact_location"))
_OTHERS = (("model_versions", "storage_location"), ("experiments", "artifact_location"))
_WAIT_S = 30.0  # for another process that writes


def mend(file: Path) -> int:
    """Let the rows of a store that moved name the folder beside it; how many did not.

    Args:
        file: of SQLite; nothing is done if it is not there.

    Raises:
        GanflowError: they name another place, and the file cannot be written.
    """
    beside = file.resolve().parent / FOLDER
    if not file.is_file() or not beside.is_dir():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=_WAIT_S)) as store, store:
            tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            runs = [column for column in _RUNS if column[0] in tables]
            left = {root for column in runs for root, rest, _ in _places(store, *column, beside) if _in(beside, rest)}
            changed = 0
            for table, name in (*runs, *(column for column in _OTHERS if column[0] in tables)) if left else ():
                rows = [row for row in _places(store, table, name, beside) if row[0] in left]
                for _, rest, text in rows:
                    new = beside / rest
                    address = new.as_uri() if text.startswith("file:") else str(new)
                    store.execute(f"UPDATE {table} SET {name} = ? WHERE {name} = ?", (address, text))
                changed += len(rows)
    except sqlite3.Error as error:
        raise GanflowError(f"{file} was moved, and where its artifacts are cannot be put right: {error}") from None
    if changed:
        logger.info(f"{file} was moved or copied from {', '.join(sorted(str(Path(root).parent) for root in left))}; "
             f"its artifacts are those in {beside} now")  # fmt: skip
    return changed


def _places(store: sqlite3.Connection, table: str, column: str, beside: Path) -> Iterator[tuple[str, str, str]]:
    """Places in other folders of that name: the folder, the rest, and the text as it stands."""
    rows = store.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE '%/{FOLDER}%'")
    for (text,) in rows.fetchall():
        path = unquote(urlsplit(text).path) if text.startswith("file:") else text
        head, _, rest = f"{path}/".rpartition(f"/{FOLDER}/")
        root = f"{head}/{FOLDER}"
        if path.startswith("/") and root != str(beside):
            yield root, rest.rstrip("/"), text


def _in(beside: Path, rest: str) -> bool:
    return bool(rest) and (beside / rest).is_dir()


@entry_point
def main(backend: str) -> None:
    """Mend the store of an address such as ``sqlite:///mlflow.db``."""
    mend(Path(backend.partition(":///")[2].partition("?")[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
