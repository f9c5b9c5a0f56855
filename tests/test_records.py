import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganflow import records
from ganflow.errors import GanflowError


@dataclass(frozen=True)
class Point:
    x: int
    name: str | None = None


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "below" / "point.json"
    records.write(path, Point(1, "é"))
    assert path.read_text() == '{\n  "x": 1,\n  "name": "\\u00e9"\n}\n'
    assert records.read(path, Point, "hint") == records.noted(path, Point) == Point(1, "é")
    assert records.read(path, dict, "hint") == {"x": 1, "name": "é"}


def test_dataclasses_in_a_mapping_are_written_as_their_values() -> None:
    assert json.loads(records.text({"points": [Point(1), Point(2)]}))["points"][1] == {"x": 2, "name": None}


def test_what_a_record_of_an_earlier_version_lacks_takes_its_default(tmp_path: Path) -> None:
    (tmp_path / "point.json").write_text('{"x": 3}')
    assert records.read(tmp_path / "point.json", Point, "hint") == Point(3)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b'{"y": 1}', b"{}", b"\xff"])
def test_a_file_that_does_not_fit_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "point.json"
    path.write_bytes(content)
    with pytest.raises(GanflowError) as refused:
        records.read(path, Point, "`make` writes it")
    line = str(refused.value)
    assert line.startswith(f"{path} is not a valid record: ")
    assert line.endswith("; when it is removed, `make` writes it")
    assert "\n" not in line
    assert records.noted(path, Point) is None


def test_a_missing_file_is_named_with_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match="is missing; `make` writes it"):
        records.read(tmp_path / "none.json", Point, "`make` writes it")
    assert records.noted(tmp_path / "none.json", Point) is None
