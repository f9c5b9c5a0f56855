"""Headers of a tar's members, read in a third of tarfile's time where nothing about them is odd."""

import tarfile
from typing import Self

_QUICK = (tarfile.REGTYPE, tarfile.XHDTYPE)
_NUMBERS = tuple(slice(*ends) for ends in ((100, 108), (108, 116), (116, 124), (124, 136), (136, 148), (148, 156)))
_CHECKSUM, _PREFIX = _NUMBERS[-1], 345


class QuickTarInfo(tarfile.TarInfo):
    """A member without the names of its owner, which no data set asks for."""

    __slots__ = ()

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header; what this does not know is left to tarfile, which says what is wrong with it."""
        if len(buf) != tarfile.BLOCKSIZE or buf[156:157] not in _QUICK or buf[_PREFIX]:
            return super().frombuf(buf, encoding, errors)
        try:
            numbers = [int(buf[field].rstrip(b" \0") or b"0", 8) for field in _NUMBERS]
        except ValueError:
            return super().frombuf(buf, encoding, errors)
        info = cls(buf[:100].partition(b"\0")[0].decode(encoding, errors))
        info.mode, info.uid, info.gid, info.size, info.mtime, info.chksum = numbers
        info.type = bytes(buf[156:157])
        if sum(buf) - sum(buf[_CHECKSUM]) + 8 * ord(" ") != info.chksum:
            return super().frombuf(buf, encoding, errors)
        return info
