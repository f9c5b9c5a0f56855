"""One Ray, one Python and one image, whatever starts them."""

import re
import tomllib

import pytest

from tests.infra.files import INFRA, ROOT, documents, locked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RAY = locked()["ray"]
FILES = [
    "aws/cluster.yaml",
    "docker/Dockerfile",
    "docker/compose.yaml",
    "kuberay/raycluster.yaml",
    "kuberay/rayjob.yaml",
]


def test_one_ray() -> None:
    pinned = [line for line in PROJECT["project"]["dependencies"] if line.startswith("ray[")]
    assert [line.partition("==")[2] for line in pinned] == [RAY]
    assert documents("kuberay/raycluster.yaml")[0]["spec"]["rayVersion"] == RAY
    assert re.findall(r"ray\[default\]==([\d.]+)", (INFRA / "docker" / "ray-default.lock").read_text()) == [RAY]


def test_one_python() -> None:
    (image,) = re.findall(r"^ARG PYTHON=(3\.\d+)\.\d+", (INFRA / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    assert image == PROJECT["tool"]["mypy"]["python_version"]
    assert f"on Python {image} " in (ROOT / "requirements.lock").read_text()


@pytest.mark.parametrize("path", [*FILES, "../docs/cluster.md"])
def test_one_image(path: str) -> None:
    assert set(re.findall(r"\bganflow:(\d[\w.]*)", (INFRA / path).read_text())) == {PROJECT["project"]["version"]}
