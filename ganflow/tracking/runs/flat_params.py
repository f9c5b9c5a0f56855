"""Configuration as flat, secret-free text: what MLflow may keep and what a person may see."""

import hashlib
import re
from collections.abc import Mapping

from ganflow.terminal.redaction import HIDDEN, is_secret, redact

MAX_KEY = 250  # MLflow's limits
MAX_VALUE = 500

_FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)


def flatten(node: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Every leaf by its dotted key; lists and empty mappings are leaves."""
    out: dict[str, object] = {}
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            out.update(flatten(value, f"{path}."))
        else:
            out[path] = value
    return out


def clean_key(key: str) -> str:
    """``key`` in the letters and the length that MLflow takes; equal keys stay equal, others stay apart."""
    return _cut(_FORBIDDEN.sub("_", key), MAX_KEY)


def loggable(values: Mapping[str, object]) -> dict[str, str]:
    """Flat values as MLflow takes them, without secrets; None is left out."""
    return {clean_key(key): _text(key, value) for key, value in values.items() if value is not None}


def _text(key: str, value: object) -> str:
    return HIDDEN if is_secret(key) and value else _cut(redact(str(value)), MAX_VALUE)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    mark = f"...{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return text[: limit - len(mark)] + mark
