"""The standard library and numpy read it, beyond 4 GiB, too."""

import io
import zipfile
import zlib
from pathlib import Path

from ganflow.generation.writers.stored_zip import CRC_AT, Entry, directory, local_header


def test_the_library_reads_every_entry() -> None:
    stream, entries = io.BytesIO(), []
    contents = {"a.npy": b"one" * 1000, "b/ü.txt": b""}
    for name, content in contents.items():
        entries.append(Entry(name, len(content), stream.tell(), zlib.crc32(content)))
        stream.write(local_header(entries[-1]) + content)
    stream.write(directory(entries, stream.tell()))
    with zipfile.ZipFile(stream) as found:
        assert found.testzip() is None
        assert [(i.filename.encode(), i.file_size) for i in found.infolist()]
        assert [found.read(info) for info in found.infolist()] == list(contents.values())
    assert stream.getvalue()[CRC_AT : CRC_AT + 4] == zlib.crc32(contents["a.npy"]).to_bytes(4, "little")


def test_sizes_and_places_beyond_32_bits(tmp_path: Path) -> None:
    """A sparse file: two entries, the first of 5 GiB, so that the second begins beyond 4."""
    large, small = Entry("large", 5 << 30), b"behind it"
    path = tmp_path / "x.zip"
    with path.open("wb") as file:
        file.write(local_header(large))
        second = Entry("small", len(small), file.seek(large.size, io.SEEK_CUR), zlib.crc32(small))
        file.write(local_header(second) + small)
        file.write(directory([large, second], file.tell()))
    with zipfile.ZipFile(path) as found:
        assert found.getinfo("large").file_size == 5 << 30
        assert found.getinfo("small").header_offset > 5 << 30
        assert found.read("small") == small
        with found.open("large") as content:
            assert content.read(1 << 20) == bytes(1 << 20)
