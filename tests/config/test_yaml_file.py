"""Files that a person wrote, and what is wrong with them in one line."""

from pathlib import Path

import pytest

from ganflow.config.yaml_file import key_lines, read_mapping
from ganflow.errors import GanflowError

FILES = [
    (b"", " is empty; write it"),
    (b"# only a comment\n", " is empty; write it"),
    (b"- a\n", ": holds a list, and must be a mapping: a line `key: value` each"),
    (b"just words\n", ": holds text, and must be a mapping: a line `key: value` each"),
    ("a: Bücher\n".encode("latin-1"), " is not UTF-8: byte 0xfc in line 1; save it as UTF-8"),
    ("a: 1\nb: Bücher\n".encode("utf-16"), " is UTF-16; save it as UTF-8"),
    (b"a:\n\tb: 1\n", ":2: a tab stands where YAML takes spaces only; put spaces in its place"),
    (b"a:\n  b: 1\n  c: 2\n  b: 3\n", ":4: b stands twice, in line 2 too; keep one"),
    (b"a: [1\nb: 2\n", ":2: is not valid YAML: while parsing a flow sequence expected ',' or ']', but got ':'"),
    (b"a: 'b\n", ":2: is not valid YAML: while scanning a quoted scalar found unexpected end of stream"),
    (b"a: 1\n b: 2\n", ":2: is not valid YAML: mapping values are not allowed here"),
    (b"a: *b\n", ":1: is not valid YAML: found undefined alias 'b'"),
    (b"a: !!python/name:os.system\n", ":1: is not valid YAML: could not determine a constructor for the tag "
     "'tag:yaml.org,2002:python/name:os.system'"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "told"), FILES)
def test_what_is_wrong_is_one_line_with_its_place(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(GanflowError) as refused:
        read_mapping(path, "write it")
    assert str(refused.value) == f"{path}{told}"


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(GanflowError) as refused:
        read_mapping(tmp_path, "write it")
    assert str(refused.value) == f"{tmp_path} is a folder, and must be a file; move it away, and write it"


def test_a_file_that_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(GanflowError) as refused:
        read_mapping(tmp_path / "file/params.yaml", "write it")
    path = tmp_path / "file/params.yaml"
    assert str(refused.value) == f"{path} cannot be read: Not a directory; see `ls -l {path}`"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes("a:\n  b: Bücher\n".encode("utf-8-sig"))
    assert read_mapping(path, "write it") == {"a": {"b": "Bücher"}}
    assert key_lines(path) == {"a": 1, "a.b": 2}
