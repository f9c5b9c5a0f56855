"""The image and the servers, as far as they can be held without Docker."""

import ast
import re
import shlex
import subprocess
from importlib.metadata import requires
from typing import Any

import pytest
from cryptography.fernet import Fernet
from packaging.requirements import Requirement

from tests.infra.files import INFRA, ROOT, documents, locked

DOCKERFILE = (INFRA / "docker" / "Dockerfile").read_text()
(COMPOSE,) = documents("docker/compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
ONCE = {"buckets"}  # makes what the others need, and ends
VARIABLE = re.compile(r"\$\{(\w+)(:[-?][^}]*)?\}")


def instructions() -> list[tuple[str, list[str]]]:
    """(instruction, words) of the Dockerfile."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")]
    whole = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    return [(words[0], words[1:]) for words in (shlex.split(line) for line in whole)]


def of(instruction: str) -> list[list[str]]:
    return [words for name, words in instructions() if name == instruction]


def ignored(path: str) -> bool:
    """Whether `.dockerignore` keeps a file out: a pattern matches it or a folder that it is in."""
    parts = path.split("/")
    ways = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    return any(re.fullmatch(pattern, way) for pattern in patterns() for way in ways)


def patterns() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    globs = [re.escape(line) for line in lines if line and not line.startswith("#")]
    return [glob.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*") for glob in globs]


def tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")


def test_bases_are_pinned() -> None:
    ((python,),) = of("ARG")
    assert re.fullmatch(r"PYTHON=3\.\d+\.\d+-slim-\w+", python)
    assert {words[0] for words in of("FROM")} == {"python:${PYTHON}"}
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+", service["image"]), name


def test_what_is_copied_is_there() -> None:
    for words in of("COPY"):
        *sources, _ = [word for word in words if not word.startswith("--")]
        for source in sources if not any(word.startswith("--from") for word in words) else ():
            assert (ROOT / source).exists()
            assert source == "." or not ignored(source)


def test_what_is_installed_is_copied() -> None:
    copied = {word for words in of("COPY") for word in words}
    used = re.findall(r"/locks/(\S+)", " ".join(" ".join(words) for words in of("RUN")))
    assert {path.rpartition("/")[2] for path in copied if path.endswith(".lock")} == set(used)


def test_image_is_a_clone_of_what_is_committed() -> None:
    assert [path for path in tracked() if path and ignored(path)] == []
    for path in (".venv/bin/python", "data/dataset.json", "infra/docker/.env", "ganflow/__pycache__/cli.pyc"):
        assert ignored(path)


def test_nobody_is_root_in_it() -> None:
    assert of("USER") == [["ganflow"]]
    assert "--uid 1000" in DOCKERFILE, "who owns the files that Ray's launcher mounts, and whom pods run as"
    assert not of("ENTRYPOINT"), "Ray's launcher starts `bash`"


def test_the_rest_of_ray_is_locked() -> None:
    core, rest = locked(), locked("infra/docker/ray-default.lock")
    assert not set(core) & set(rest)
    for line in requires("ray") or ():
        requirement = Requirement(line)
        if requirement.marker and requirement.marker.evaluate({"extra": "default"}):
            version = (core | rest)[re.sub(r"[-_.]+", "-", requirement.name).lower()]
            assert requirement.specifier.contains(version), line


def test_servers_are_seen_from_this_machine_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in published)
    assert "ports" not in SERVICES["postgres"]
    assert "BIND=127.0.0.1" in (INFRA / "docker" / ".env.example").read_text().splitlines()


def test_secrets_come_from_the_environment() -> None:
    secret = re.compile("KEY|PASSWORD|SECRET")
    values = [pair for service in SERVICES.values() for pair in service.get("environment", {}).items()]
    assert all(VARIABLE.fullmatch(value)[2].startswith(":?") for key, value in values if secret.search(key))  # type: ignore[index]
    example = dict(re.findall(r"^(\w+)=(.*)$", (INFRA / "docker" / ".env.example").read_text(), re.MULTILINE))
    assert {name for name, _ in VARIABLE.findall((INFRA / "docker" / "compose.yaml").read_text())} == set(example)
    assert not any(value for key, value in example.items() if secret.search(key))
    asked = subprocess.run(["git", "check-ignore", "-q", "infra/docker/.env"], cwd=ROOT, check=False)
    assert asked.returncode == 0, "git would take infra/docker/.env"


def test_a_webhook_s_key_is_made_as_the_example_says() -> None:
    (command,) = re.findall(
        r"^# .*: (.*)\nWEBHOOK_KEY=$", (INFRA / "docker" / ".env.example").read_text(), re.MULTILINE
    )
    key = subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout
    cipher = Fernet(key.strip())
    assert cipher.decrypt(cipher.encrypt(b"a secret")) == b"a secret"


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_watched_and_keeps_what_it_has(name: str) -> None:
    service = SERVICES[name]
    known = {"image", "command", "environment", "ports", "volumes", "depends_on", "healthcheck", "restart"}
    assert set(service) <= known
    assert ("healthcheck" in service) != (name in ONCE)
    for volume in service.get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] == ("service_completed_successfully" if other in ONCE else "service_healthy")


def test_commands_are_what_they_call() -> None:
    script, *words = SERVICES["mlflow"]["command"]
    assert set(words[::2]) <= set(re.findall(r"--\w+", (ROOT / script).read_text()))
    ast.parse(SERVICES["buckets"]["command"][2])
