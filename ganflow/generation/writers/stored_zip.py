"""A zip whose entries are stored as they are and of known size: a writer that was cut off can go on in the middle.

The standard library's can not. By PKWARE's APPNOTE 6.3, with the fields of ZIP64 always, so that sizes have no limit.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

CRC_AT = 14  # in a local header
_LARGE = 0xFFFFFFFF  # the field of 64 bits counts
_VERSION = 45
_NEW_YEAR = 0x21  # 1980-01-01: the same content gives the same bytes
_START, _DIRECTORY, _END64, _LOCATOR, _END = (b"PK" + bytes(kind) for kind in ((3, 4), (1, 2), (6, 6), (6, 7), (5, 6)))


@dataclass(frozen=True)
class Entry:
    """One file in a zip: its size, where its local header lies, the CRC-32 of its content."""

    name: str
    size: int
    offset: int = 0
    crc: int = 0


def local_header(entry: Entry) -> bytes:
    """The bytes before the content."""
    extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size)
    return _fields(_START, (_VERSION,), entry, extra) + entry.name.encode() + extra


def directory(entries: Sequence[Entry], at: int) -> bytes:
    """The bytes that end the zip; ``at`` is their position."""
    records = b"".join(map(_record, entries))
    end = at + len(records)
    count = len(entries)
    return b"".join(
        [
            records,
            struct.pack("<4sQ2H2L4Q", _END64, 44, _VERSION, _VERSION, 0, 0, count, count, len(records), at),
            struct.pack("<4sLQL", _LOCATOR, 0, end, 1),
            struct.pack("<4s4H2LH", _END, 0, 0, count, count, _LARGE, _LARGE, 0),
        ]
    )


def _record(entry: Entry) -> bytes:
    extra = struct.pack("<HHQQQ", 1, 24, entry.size, entry.size, entry.offset)
    ends = struct.pack("<3H2L", 0, 0, 0, 0, _LARGE)  # no comment, first disk, no attributes; the offset
    return _fields(_DIRECTORY, (_VERSION, _VERSION), entry, extra) + ends + entry.name.encode() + extra


def _fields(kind: bytes, versions: tuple[int, ...], entry: Entry, extra: bytes) -> bytes:
    """Those that both headers share, up to the lengths."""
    stored, flags, midnight = 0, 0, 0
    start = struct.pack(f"<4s{len(versions)}H", kind, *versions)
    middle = struct.pack("<4H", flags, stored, midnight, _NEW_YEAR)
    return start + middle + struct.pack("<3L2H", entry.crc, _LARGE, _LARGE, len(entry.name.encode()), len(extra))
