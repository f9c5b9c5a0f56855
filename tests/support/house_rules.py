"""The style rules that a program can hold: `python -m tests.support.house_rules` prints ``file:line: rule``.

ruff, mypy and import-linter hold the rest.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUESTIONS = ("What", "How", "Whether", "Where", "Which", "Who", "Why", "When")
NO_ENGLISH = {
    r"\bis no (?!longer\b|more\b|worse\b|better\b)(?=[A-Za-z])": 'say "is not a …"',
    r"\b(?:no|some|any)body\b|\bwhoever\b": "say who: the caller, the user, a process",
}
VAGUE = {"found", "told", "said", "there", "one", "several", "known", "kept", "here", "own", "seen"}
MESSAGES = {"say", "tell", "warn", "log"}
SUBJECTS = re.compile(r"\b(?:there|this|that|which|what|it) is no \b", re.IGNORECASE)


def faults(path: Path) -> Iterator[tuple[int, str]]:
    """Line and rule of each fault of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstring(node)
        if isinstance(node, ast.arg) and node.arg in MESSAGES and _is_callable(node.annotation):
            yield node.lineno, f"messages go through logging, not through a parameter {node.arg}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _vague_names(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno, f"{rule}: {_part(node.value, where)}") for where, rule in _english(node.value))


def _docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    text = ast.get_docstring(node)
    if text and text.split(maxsplit=1)[0] in QUESTIONS:
        line = node.body[0].lineno
        yield line, f"a docstring says what a thing is or does: {text.splitlines()[0][:60]}"


def _vague_names(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[tuple[int, str]]:
    for node in ast.walk(function):
        name = node.arg if isinstance(node, ast.arg) else None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        if name in VAGUE and isinstance(node, ast.arg | ast.Name):
            yield node.lineno, f"a local name says what a value is: {name}"


def _is_callable(annotation: ast.expr | None) -> bool:
    return annotation is not None and re.match("Callable|Say|Tell|Warn|Log", ast.unparse(annotation)) is not None


def _english(text: str) -> Iterator[tuple[re.Match[str], str]]:
    for pattern, rule in NO_ENGLISH.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            start = max(0, match.start() - 8)
            if not SUBJECTS.search(text[start : match.end() + 1]):
                yield match, rule


def _part(text: str, match: re.Match[str]) -> str:
    return " ".join(text[max(0, match.start() - 20) : match.end() + 20].split())


def main() -> int:
    """Print every fault; the exit status is 1 if there is one."""
    lines = [
        f"{path.relative_to(ROOT)}:{line}: {rule}"
        for folder in ("ganflow", "pipelines")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, rule in faults(path)
    ]
    print("\n".join(lines) or "The house's own rules hold.")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
