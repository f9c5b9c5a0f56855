"""Overrides as people type them, made ready for Hydra's parser; what cannot be meant is refused with the way out.

Hydra's grammar has no bare ``~``, ``(``, ``#``, ``ü`` or comma in a value. A person who types a path knows nothing of
that, so text is quoted here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException

from ganflow.config import keys, search_space, spelling
from ganflow.errors import ConfigError, GanflowError, require

EXPERIMENT = "experiment"
FORM = re.compile(r"(?P<sign>~|\+{0,2})(?P<key>[\w./-]+)(?:=(?P<value>.*))?", re.DOTALL)
WRITTEN = "[{'\""  # what a value in Hydra's own notation begins with

CheckChoice = Callable[[str, str], None]  # slot or experiment, name


@dataclass(frozen=True)
class Typed:
    """An override as it was typed."""

    sign: str  # "", "+", "++" or "~"
    key: str
    value: str | None  # None: without "="

    @property
    def line(self) -> str:
        """As Hydra parses it."""
        return f"{self.sign}{self.key}" + ("" if self.value is None else f"={self.value}")

    @property
    def path(self) -> str:
        """The key with dots."""
        return self.key.replace("/", ".")


def prepared(lines: Sequence[str], check_choice: CheckChoice) -> list[Override]:
    """The overrides, parsed. Some become several: a distribution takes the place of another one.

    Args:
        lines: as they were typed.
        check_choice: refuses a name that a group does not have.

    Raises:
        GanflowError: an override that cannot be meant.
    """
    return [parsed for line in lines for ready in _ready(line) for parsed in [_checked(ready, check_choice)]]


def _ready(line: str) -> list[Typed]:
    match = FORM.fullmatch(line.strip())
    if match is None:
        raise GanflowError(f"{line}: is not a valid override; give key=value without spaces around =, or group=choice")
    # A key is there or it is not: Hydra's + for new keys would only be one more thing to get wrong.
    sign = "~" if match["sign"] == "~" else ""
    typed = Typed(sign, match["key"], match["value"] if match["value"] is None else match["value"].strip())
    if typed.value is None and typed.sign != "~":
        meant = spelling.hint(typed.key) if not _is_place(typed.path) and typed.key != EXPERIMENT else ""
        raise GanflowError(f"{typed.key}: has no value; give {typed.key}=VALUE{meant}")
    _check_key(typed)
    if _below(search_space.ROOT, typed.path):
        return [_quoted(override) for override in _of_space(typed)]
    return [_quoted(typed)]


def _check_key(typed: Typed) -> None:
    key, value, path = typed.key, typed.value or "", typed.path
    require(key != "recipe", key, value, f"is written by experiment=; experiment={value or 'NAME'} takes that recipe")
    if typed.sign == "~" and not keys.is_open(path):
        slot = keys.slots().get(path)
        hint = f"{slot}=[] takes none" if slot and keys.several(slot) else f"{slot or key}=… sets it"
        raise GanflowError(f"~{key}: cannot be taken out; {hint}{'' if _is_place(path) else spelling.hint(key)}")
    slot, is_choice = keys.slots().get(path), not value.startswith("{") and value != "null"
    if slot and key != slot and is_choice:
        raise ConfigError(
            key, value, f"takes no name; a component is chosen by its group: {slot}={_listed(slot, value)}"
        )
    parent, _, name = path.rpartition(".")
    if name == "name" and parent in keys.slots() and is_choice:
        raise ConfigError(key, value, f"a component comes with its options: {keys.slots()[parent]}={value}")
    if "/" in key and key not in keys.slots().values() and not _below(search_space.ROOT, path):
        hint = f"; a value is set with dots: {path}={value}" if path in keys.known() else spelling.hint(key)
        raise ConfigError(key, value, f"is not a group of components{hint}")


def _takes_list(key: str) -> bool:
    return key != EXPERIMENT and keys.several(key)


def _listed(slot: str, value: str) -> str:
    return f"[{value}]" if keys.several(slot) and not value.startswith("[") else value


def _is_place(path: str) -> bool:
    return path in keys.known() or path in keys.slots() or path in keys.sections()


def _below(root: str, path: str) -> bool:
    return path == root or path.startswith(f"{root}.")


def _of_space(typed: Typed) -> list[Typed]:
    """Let a value that is set in the space replace the one that stood there, where Hydra would merge the two."""
    root, below = search_space.ROOT, typed.path.removeprefix(search_space.ROOT).lstrip(".")
    parent, _, kind = below.rpartition(".")
    is_kind = kind in search_space.KINDS
    valid = not below or _is_place(parent if is_kind else below)
    plain, takes_out = replace(typed, sign="", key=typed.path), typed.sign == "~" or typed.value in ("null", "{}")
    if not valid:
        require(not takes_out, typed.key, typed.value or "", f"no such key in params.yaml{spelling.hint(below)}")
        return [plain]  # the check of the space says what is wrong
    if is_kind and not takes_out:
        others = [f"{parent}.{other}" for other in search_space.KINDS if other != kind]
    else:
        others = [below] if below else keys.trained_sections()
    return [*(Typed("", f"{root}.{other}", "null") for other in others), *([] if takes_out else [plain])]


def _quoted(typed: Typed) -> Typed:
    """Text in quotes, unless Hydra reads it as it stands."""
    value = typed.value
    if not value or value[0] in WRITTEN or typed.key in keys.slots().values() or typed.key == EXPERIMENT:
        return typed
    parsed = _parse(typed.line)
    if parsed is not None and not keys.is_text(typed.key):
        return typed
    as_it_is = parsed is not None and not parsed.is_sweep_override() and isinstance(parsed.value(), str | None)
    return typed if as_it_is else replace(typed, value=_in_quotes(value))


def _in_quotes(text: str) -> str:
    """In single quotes. Hydra takes a backslash for one of its own only before a quote."""
    inner = re.sub(r"(\\*)'", lambda match: rf"{match[1] * 2}\'", text)
    trailing = len(inner) - len(inner.rstrip("\\"))
    return f"'{inner}{inner[len(inner) - trailing :]}'"


def _parse(line: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(line)
    except HydraException:
        return None


def _checked(typed: Typed, check_choice: CheckChoice) -> Override:
    parsed, key, value = _parse(typed.line), typed.key, typed.value
    if parsed is None:
        reason = "brackets, braces or quotes that do not match, or a character that wants quotes within them"
        raise ConfigError(key, value, f"has {reason}; put text in double quotes and the whole override in single ones")
    sweep = f"takes one value, decimals after a point; several are for `dvc exp run --queue -S {key}={value}`"
    require(not parsed.is_sweep_override(), key, value, sweep)
    group = key if key in keys.slots().values() or key == EXPERIMENT else None
    if group and typed.sign != "~":
        chosen = parsed.value()
        require(chosen is not None, key, value, f"must be a {'list of names' if _takes_list(key) else 'name'}")
        for name in chosen if isinstance(chosen, list) else [chosen]:
            check_choice(group, str(name.text if isinstance(name, QuotedString) else name))
    elif value == "" and key in keys.known() and not keys.is_text(key):
        raise ConfigError(key, "", f"has no value; it must be {keys.name_of_type(keys.known()[key]) or 'given'}")
    return parsed
