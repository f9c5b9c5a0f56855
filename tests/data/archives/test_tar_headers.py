"""Headers of members, held against those that tarfile reads."""

import io
import tarfile

import pytest

from ganflow.data.archives.tar_headers import QuickTarInfo

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def members() -> list[tarfile.TarInfo]:
    """Members of all kinds, with names of all lengths."""
    kinds = {"a.png": tarfile.REGTYPE, "old": tarfile.AREGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}
    kinds |= {"folder": tarfile.DIRTYPE, "pipe": tarfile.FIFOTYPE, f"{'b' * 90}/{'c' * 90}.png": tarfile.REGTYPE}
    infos = []
    for i, (name, kind) in enumerate(kinds.items()):
        info = tarfile.TarInfo(name)
        info.type, info.mtime, info.uid, info.mode = kind, 1000 + i, i, 0o600 + i
        info.linkname = "a.png" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
        infos.append(info)
    return infos


def listed(raw: bytes, kind: type[tarfile.TarInfo]) -> list[tuple[object, ...]]:
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:", tarinfo=kind) as archive:
        return [(m.name, m.type, m.size, m.offset_data, m.linkname, m.mode, m.uid, m.mtime) for m in archive]


@pytest.mark.parametrize("form", FORMATS)
def test_headers_are_what_tarfile_reads(form: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=FORMATS[form]) as archive:
        for info in members():
            info.size = 700 if info.isreg() else 0
            archive.addfile(info, io.BytesIO(bytes(info.size)))
        unusual = tarfile.TarInfo("d/ü.png" if form != "ustar" else "d/u.png")
        unusual.mtime = 1.5 if form == "pax" else 1
        archive.addfile(unusual)
    expected = listed(out.getvalue(), tarfile.TarInfo)
    assert len(expected) == len(members()) + 1
    assert listed(out.getvalue(), QuickTarInfo) == expected


@pytest.mark.parametrize("at", [100, 125, 150, 156, 345])
def test_a_changed_header_is_judged_by_tarfile(at: int) -> None:
    raw = bytearray(tarfile.TarInfo("a.png").tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    raw[at] ^= 0x41
    for kind in (tarfile.TarInfo, QuickTarInfo):
        with pytest.raises(tarfile.ReadError, match=r"bad checksum|invalid header"):
            listed(bytes(raw), kind)


def test_a_size_beyond_eight_gigabytes_is_read() -> None:
    info = tarfile.TarInfo("a.png")
    info.size = 9 << 30
    raw = info.tobuf(tarfile.GNU_FORMAT)
    assert QuickTarInfo.frombuf(raw, "utf-8", "surrogateescape").size == 9 << 30
