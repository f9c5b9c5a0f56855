"""The view of a configuration that people and programs may have: everything but its secrets."""

import re
from collections.abc import Mapping

HIDDEN = "***"
_USER_INFO = re.compile(r"(?<=://)\S*@")  # to the last @: SQLAlchemy takes passwords with / and # in them
_SECRET_NAME = r"(?:password|passwd|pwd|secret|token|access_key|api_key|credentials?)"
_SECRET_QUERY = re.compile(rf"(?i)([?&][\w.-]*{_SECRET_NAME}[\w.-]*=)[^&\s'\"]+")
_SECRET_KEY = re.compile(rf"(?i)(?:^|[._-]){_SECRET_NAME}$")


def redact(text: str) -> str:
    """``text`` without what stands before an ``@`` in its URIs and without secrets in their queries."""
    return _SECRET_QUERY.sub(rf"\1{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))


def is_secret(key: str) -> bool:
    """True if a value of this dotted key is a secret as a whole."""
    return _SECRET_KEY.search(key) is not None


def hidden(node: object, key: str = "") -> object:
    """A tree of plain values as it was, but for its secrets."""
    if isinstance(node, Mapping):
        return {name: hidden(value, str(name)) for name, value in node.items()}
    if isinstance(node, list):
        return [hidden(value, key) for value in node]
    if is_secret(key) and node:
        return HIDDEN
    return redact(node) if isinstance(node, str) else node
