"""Links inside of an archive, followed as a file system follows them."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ganflow.errors import GanflowError

MOST_HOPS = 40  # links on the way of one name, as on Linux
MOST_FILES = 20_000_000  # links to folders can multiply files without end


class _LinkError(Exception):
    """A link that leads to no file of the archive; its text says why."""


@dataclass
class Tree:
    """Names of an archive: files, and links with their targets."""

    files: Mapping[str, object]  # name → where its bytes are
    links: Mapping[str, str]  # name → target, relative to the link's folder
    _below: dict[str, list[str]] = field(init=False)  # folder → its files, links and folders

    def __post_init__(self) -> None:
        below: defaultdict[str, set[str]] = defaultdict(set)
        for name in [*self.files, *self.links]:
            while name not in below[posixpath.dirname(name)]:
                below[posixpath.dirname(name)].add(name)
                name = posixpath.dirname(name)
                if not name:
                    break
        self._below = {folder: sorted(names) for folder, names in below.items()}

    def follow(self) -> tuple[dict[str, object], dict[str, str]]:
        """Every file by every name that leads to it, and why a link leads to none.

        Raises:
            GanflowError: links to folders multiply the files.
        """
        reached, broken = dict(self.files), dict[str, str]()
        for name in self.links:
            for alias, where, why in self._expand(name, name, frozenset(_ancestors(name))):
                if why:
                    broken[alias] = why
                else:
                    reached[alias] = where
                if len(reached) > MOST_FILES:
                    raise GanflowError(f"links multiply its files to more than {MOST_FILES:,}")
        return reached, broken

    def _expand(self, link: str, alias: str, above: frozenset[str]) -> Iterator[tuple[str, object, str]]:
        """The files that ``link`` leads to, named below ``alias``; ``above``: the folders that lead here."""
        try:
            target = self._resolve(link)
        except _LinkError as error:
            yield alias, None, str(error)
            return
        if target in self.files:
            yield alias, self.files[target], ""
        elif target and target not in self._below:
            yield alias, None, f"a link to {target}, which is not there"
        elif target not in above:
            yield from self._walk(target, alias, above | {target})

    def _walk(self, folder: str, alias: str, above: frozenset[str]) -> Iterator[tuple[str, object, str]]:
        for name in self._below.get(folder, ()):
            inner = f"{alias}/{posixpath.basename(name)}"
            if name in self.links:
                yield from self._expand(name, inner, above)
            elif name in self.files:
                yield inner, self.files[name], ""
            else:
                yield from self._walk(name, inner, above | {name})

    def _resolve(self, name: str) -> str:
        """The name without links in it.

        Raises:
            _LinkError: it leads out of the archive or round in a circle.
        """
        todo, at, hops = name.split("/")[::-1], "", 0
        while todo:
            part = todo.pop()
            if part == "..":
                if not at:
                    raise _LinkError("a link that leads out of the archive")
                at = posixpath.dirname(at)
            elif part not in ("", "."):
                path = posixpath.join(at, part)
                target = self.links.get(path)
                if target is None:
                    at = path
                    continue
                hops += 1
                if hops > MOST_HOPS:
                    raise _LinkError("a link that leads round in a circle")
                if target.startswith("/"):
                    raise _LinkError("a link that leads out of the archive")
                todo += target.split("/")[::-1]
        return at


def from_root(link: str, target: str) -> str:
    """The target of a hard link, which is named from the archive's root, relative to the link's folder."""
    return "../" * link.count("/") + target


def _ancestors(name: str) -> Iterator[str]:
    while name:
        name = posixpath.dirname(name)
        yield name
