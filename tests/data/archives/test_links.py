"""Links of an archive lead where a file system leads them: the operating system's own answers are the reference."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganflow.data.archives.links import Tree, from_root
from ganflow.data.prepare import prepare
from tests.data.made import everything, noise, png, refused, source, write_tree

FILES = {"a/1.png": "a1", "a/in/2.png": "a2", "b/3.png": "b3"}
LINKS = {
    "to_file.png": "a/1.png",
    "b/up.png": "../a/1.png",
    "chain.png": "b/up.png",
    "folder": "a",
    "b/inner": "../folder/in",
    "through.png": "b/inner/2.png",
    "dotted.png": "./a/.././b/3.png",
    "a/loop": "..",
    "nowhere.png": "a/missing.png",
    "past.png": "a/1.png/x",
    "circle.png": "other.png",
    "other.png": "circle.png",
}


def on_disk(root: Path) -> dict[str, str]:
    """What the operating system reads under every name, loops left out."""
    read, todo = {}, [("", [os.path.realpath(root)])]
    while todo:
        inner, above = todo.pop()
        for name in os.listdir(root / inner):
            path = root / inner / name
            if path.is_file():
                read[f"{inner}{name}"] = path.read_text()
            elif path.is_dir() and (real := os.path.realpath(path)) not in above:
                todo.append((f"{inner}{name}/", [*above, real]))
    return read


def test_every_name_leads_where_the_file_system_leads(tmp_path: Path) -> None:
    write_tree(tmp_path, {name: text.encode() for name, text in FILES.items()})
    for name, target in LINKS.items():
        (tmp_path / name).symlink_to(target)
    reached, broken = Tree(FILES, LINKS).follow()
    assert reached == on_disk(tmp_path)
    assert broken == {
        "nowhere.png": "a link to a/missing.png, which is not there",
        "past.png": "a link to a/1.png/x, which is not there",
        "circle.png": "a link that leads round in a circle",
        "other.png": "a link that leads round in a circle",
    }


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd", "../.."])
def test_a_link_does_not_lead_out(target: str) -> None:
    assert Tree(FILES, {"b/x.png": target}).follow() == (FILES, {"b/x.png": "a link that leads out of the archive"})


def test_a_hard_link_is_named_from_the_root() -> None:
    links = {"b/deep/x.png": from_root("b/deep/x.png", "a/1.png"), "y.png": from_root("y.png", "b/deep/x.png")}
    assert Tree(FILES, links).follow()[0] == {**FILES, "b/deep/x.png": "a1", "y.png": "a1"}


def picture(i: int) -> bytes:
    return png(noise(i, 4, 4))


def linked_tar(path: Path, links: dict[str, tuple[bytes, str]]) -> Path:
    """Ten images of class a, and links."""
    with tarfile.open(path, "w") as archive:
        for i in range(10):
            info = tarfile.TarInfo(f"a/{i}.png")
            info.size = len(picture(i))
            archive.addfile(info, io.BytesIO(picture(i)))
        for name, (kind, target) in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return path


def test_hard_and_symbolic_links_of_a_tar_are_images(tmp_path: Path) -> None:
    links = {f"b/{i}.png": (tarfile.LNKTYPE, f"a/{i}.png") for i in range(5)}
    links |= {f"b/{i}.png": (tarfile.SYMTYPE, f"../a/{i}.png") for i in range(5, 10)}
    report = prepare(source("image_folder", linked_tar(tmp_path / "in.tar", links), test_share=0.0), tmp_path / "data")
    assert report["splits"]["train"]["per_class"] == {"a": 10, "b": 10}
    images = everything(tmp_path / "data")
    np.testing.assert_array_equal(images[:10], images[10:])


def test_a_linked_class_folder_of_a_tar_is_a_class(tmp_path: Path) -> None:
    path = linked_tar(tmp_path / "in.tar", {"b": (tarfile.SYMTYPE, "a")})
    report = prepare(source("image_folder", path, test_share=0.0), tmp_path / "data")
    assert report["splits"]["train"]["per_class"] == {"a": 10, "b": 10}


def test_what_leads_nowhere_is_named_and_can_be_skipped(tmp_path: Path) -> None:
    links = {
        "b/x.png": (tarfile.SYMTYPE, "gone.png"),
        "b/y.png": (tarfile.SYMTYPE, "/etc/passwd"),
        "b/z.png": (tarfile.FIFOTYPE, ""),
        "b/1.png": (tarfile.LNKTYPE, "a/1.png"),
    }
    path = linked_tar(tmp_path / "in.tar", links)
    assert refused("image_folder", path, tmp_path) == (
        "3 unreadable images: b/x.png (a link to b/gone.png, which is not there), "
        "b/y.png (a link that leads out of the archive), b/z.png (not a regular file); "
        "data.on_bad_image=skip leaves them out"
    )
    report = prepare(source("image_folder", path, on_bad_image="skip", test_share=0.0), tmp_path / "data")
    assert report["splits"]["train"]["per_class"] == {"a": 10, "b": 1}
    assert [bad["file"] for bad in report["skipped"]] == ["b/x.png", "b/y.png", "b/z.png"]


def test_links_of_a_zip_are_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for i in range(6):
            archive.writestr(f"a/{i}.png", picture(i))
            info = zipfile.ZipInfo(f"b/{i}.png")
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, f"../a/{i}.png")
    report = prepare(source("image_folder", tmp_path / "in.zip", test_share=0.0), tmp_path / "data")
    assert report["splits"]["train"]["per_class"] == {"a": 6, "b": 6}
    images = everything(tmp_path / "data")
    np.testing.assert_array_equal(images[:6], images[6:])


def test_two_links_to_one_folder_are_two_classes(tmp_path: Path) -> None:
    write_tree(tmp_path / "far", {f"{i}.png": picture(i) for i in range(4)})
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "far")
    report = prepare(source("image_folder", tmp_path / "in", test_share=0.0), tmp_path / "data")
    assert report["splits"]["train"]["per_class"] == {"a": 4, "b": 4}


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    write_tree(tmp_path / "in", {"1.png": picture(0)})
    os.mkfifo(tmp_path / "in/2.png")
    assert "1 unreadable image: 2.png (not a regular file)" in refused("image_folder", tmp_path / "in", tmp_path)
