"""What the tests of `infra/` read."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
PLACE = re.compile(r"<([A-Z_]+)>")
FILLED = {  # what stands in <> in the files for AWS, as docs/cluster.md fills them in
    "REGION": "eu-central-1",
    "ACCOUNT": "111122223333",
    "BUCKET": "faces",
    "AMI": "ami-0123456789abcdef0",
    "SECURITY_GROUP": "sg-0123456789abcdef0",
}


def fill(path: str) -> str:
    """A file below ``infra/aws`` as text; a place that nobody fills in is a KeyError."""
    return PLACE.sub(lambda place: FILLED[place[1]], (INFRA / "aws" / path).read_text())


def documents(path: str) -> list[dict[str, Any]]:
    """The YAML documents of a file below ``infra/``."""
    return list(yaml.safe_load_all((INFRA / path).read_text()))


def locked(path: str = "requirements.lock") -> dict[str, str]:
    """Package to version, of a lock file. Names in lower case with hyphens."""
    pins = (line.split("==") for line in (ROOT / path).read_text().splitlines() if "==" in line and line[0] != "#")
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}
