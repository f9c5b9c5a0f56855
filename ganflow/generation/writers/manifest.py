"""The record of which samples are drawn, written beside them first, so that a later call cannot go on with others."""

import json

from ganflow import records
from ganflow.errors import ConfigError, GanflowError
from ganflow.storage import MissingError, Storage

RECORD = "samples.json"


def begun(storage: Storage, record: dict[str, object], out: str) -> bool:
    """True if these same samples were begun there.

    Raises:
        ConfigError: other ones were.
    """
    try:
        earlier = json.loads(storage.read(RECORD))
    except MissingError:
        return False
    except ValueError:
        raise GanflowError(f"{storage}/{RECORD} is damaged; name another place, or remove what is there") from None
    for key, value in record.items():
        if not isinstance(earlier, dict) or earlier.get(key) != value:
            raise ConfigError("out", out, _other(key, earlier, value))
    return True


def begin(storage: Storage, record: dict[str, object]) -> None:
    """Note what is drawn there."""
    storage.write(RECORD, records.text(record).encode())


def _other(key: str, earlier: object, value: object) -> str:
    hint = "name another place, or remove what is there"
    if key == "model" or not isinstance(earlier, dict):
        return f"samples of another model were begun there; {hint}"
    return f"samples with {key}={json.dumps(earlier.get(key))} were begun there, not {json.dumps(value)}; {hint}"
