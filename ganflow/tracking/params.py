"""Configuration as flat, secret-free text: what MLflow may keep and what a person may see."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

MAX_KEY = 250  # MLflow's limits
MAX_VALUE = 500

_USER_INFO = re.compile(r"(?<=://)\S*@")  # to the last @: SQLAlchemy takes passwords with / and # in them
_SECRET_NAME = r"(?:password|passwd|pwd|secret|token|access_key|api_key|credentials?)"
_SECRET_QUERY = re.compile(rf"(?i)([?&][\w.-]*{_SECRET_NAME}[\w.-]*=)[^&\s'\"]+")
_SECRET_KEY = re.compile(rf"(?i)(?:^|[._-]){_SECRET_NAME}$")
_FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)
_HIDDEN = "***"


def flatten(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every leaf by its dotted key; lists and empty mappings are leaves."""
    out: dict[str, Any] = {}
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            out.update(flatten(value, f"{path}."))
        else:
            out[path] = value
    return out


def redact(text: str) -> str:
    """``text`` without what stands before an ``@`` in its URIs and without secrets in their queries."""
    return _SECRET_QUERY.sub(rf"\1{_HIDDEN}", _USER_INFO.sub(f"{_HIDDEN}@", text))


def hidden(node: Any, key: str = "") -> Any:
    """A tree of plain values as it was, but for its secrets."""
    if isinstance(node, Mapping):
        return {name: hidden(value, str(name)) for name, value in node.items()}
    if isinstance(node, list):
        return [hidden(value, key) for value in node]
    if _SECRET_KEY.search(key) and node:
        return _HIDDEN
    return redact(node) if isinstance(node, str) else node


def clean_key(key: str) -> str:
    """``key`` in the letters and the length that MLflow takes; equal keys stay equal, others stay apart."""
    return _cut(_FORBIDDEN.sub("_", key), MAX_KEY)


def loggable(values: Mapping[str, Any]) -> dict[str, str]:
    """Flat values as MLflow takes them, without secrets; None is left out."""
    return {clean_key(key): _text(key, value) for key, value in values.items() if value is not None}


def _text(key: str, value: Any) -> str:
    return _HIDDEN if _SECRET_KEY.search(key) and value else _cut(redact(str(value)), MAX_VALUE)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    mark = f"...{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return text[: limit - len(mark)] + mark
