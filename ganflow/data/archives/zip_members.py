"""Members of a zip, read without its directory, which takes half a second where there are 60,000 of them."""

import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple, Self

UTF8_NAME = 0x800  # the flag of a member whose name is UTF-8
_PLAIN = UTF8_NAME | 0x0E  # flags that change nothing here: how well it was deflated, and sizes that follow it
_LOCAL = struct.Struct("<4s2xH18xHH")  # its mark, flags, and the lengths of the name and of what stands behind that
_EXTRA = 128  # bytes read on top of those of the directory, for a longer field behind the name


class ZipMember(NamedTuple):
    """The place of a member, picklable."""

    name: str  # by which zipfile finds it
    raw_name: bytes
    flags: int
    method: int
    checksum: int  # CRC-32
    offset: int  # of its local header, bytes
    packed: int  # bytes
    size: int  # bytes

    @classmethod
    def of(cls, info: zipfile.ZipInfo) -> Self:
        """The place that the directory names."""
        raw_name = info.orig_filename.encode("utf-8" if info.flag_bits & UTF8_NAME else "cp437")
        sizes = info.header_offset, info.compress_size, info.file_size
        return cls(info.filename, raw_name, info.flag_bits, info.compress_type, info.CRC, *sizes)

    def sound(self, path: Path) -> bytes | None:
        """The bytes of a member that is stored or deflated and whole; None of any other, which zipfile is to judge."""
        if self.flags & ~_PLAIN:
            return None
        start = _LOCAL.size + len(self.raw_name)
        with open(path, "rb", buffering=0) as file:
            raw = os.pread(file.fileno(), start + _EXTRA + self.packed, self.offset)
        if len(raw) < start:
            return None
        mark, flags, name_length, extra = _LOCAL.unpack_from(raw)
        if mark != b"PK\x03\x04" or (flags ^ self.flags) & UTF8_NAME:
            return None
        if name_length != len(self.raw_name) or raw[_LOCAL.size : start] != self.raw_name:
            return None
        data = raw[start + extra : start + extra + self.packed]
        if len(data) < self.packed:
            return None
        content = self._inflated(data)
        whole = content is not None and len(content) == self.size and zlib.crc32(content) == self.checksum
        return content if whole else None

    def _inflated(self, data: bytes) -> bytes | None:
        if self.method == zipfile.ZIP_STORED:
            return data
        if self.method != zipfile.ZIP_DEFLATED:
            return None
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max(1, self.size))
        except zlib.error:
            return None
