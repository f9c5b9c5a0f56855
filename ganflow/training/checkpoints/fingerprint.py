"""A run's name says what it computes, so that the same command resumes it and any other starts anew."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import torch

import ganflow
from ganflow.config.keys import trained_sections
from ganflow.config.schema import Config

SOURCES = ("distributed", "signals", "methods", "training")  # as the stage train of dvc.yaml


def fingerprint(config: Config, data_digest: str, start_digest: str = "") -> str:
    """12 hex digits over what the weights depend on: configuration, data, the weights to begin with, code, torch.

    The cluster is left out: the number of workers may change during a run.
    """
    whole = asdict(config)
    sections = {section: whole[section] for section in trained_sections()}
    sections["given"] = list(config.given.items())  # the one mapping whose order counts: sorted keys would hide it
    origin = sections | {"data": data_digest, "start": start_digest, "code": _code(), "torch": torch.__version__}
    return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:12]


@cache
def _code() -> str:
    root = Path(ganflow.__file__).parent
    sha = hashlib.sha256()
    for source in SOURCES:
        for file in sorted((root / source).rglob("*.py")):
            sha.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return sha.hexdigest()
