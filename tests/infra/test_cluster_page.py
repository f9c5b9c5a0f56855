"""The commands of `docs/cluster.md` are ones that exist, as far as that can be asked without a cloud."""

import os
import re
import subprocess

import boto3
import pytest
from botocore import xform_name

from tests.infra.files import FILLED, INFRA, PLACE, ROOT, documents, fill

PAGE = (ROOT / "docs" / "cluster.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SHELL = "\n".join(BLOCKS).replace("\\\n", " ")
AWS = re.findall(r"\baws ([a-z0-9]+) ([a-z-]+)((?: +[^\s|&)]+)*)", SHELL)
MADE_BY_THE_COMMAND_LINE = {("s3", "mb"), ("ecr", "get-login-password")}
OPTIONS_OF_THE_COMMAND_LINE = {"query", "output", "protocol", "port", "cidr", "source-group"}


def test_blocks_are_shell() -> None:
    for block in BLOCKS:
        if "──" not in block:  # the picture
            subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize(("service", "verb", "rest"), AWS)
def test_aws_knows_its_commands(service: str, verb: str, rest: str) -> None:
    if (service, verb) in MADE_BY_THE_COMMAND_LINE:
        return
    model = boto3.session.Session().client(service, region_name="eu-central-1").meta.service_model
    operation = next(name for name in model.operation_names if xform_name(name, "-") == verb)
    members = {xform_name(name, "-") for name in model.operation_model(operation).input_shape.members}
    assert set(re.findall(r"--([a-z-]+)", rest)) <= members | OPTIONS_OF_THE_COMMAND_LINE


def test_ray_knows_its_commands() -> None:
    from ray.scripts.scripts import cli

    used = set(re.findall(r"^(?:export .*)?\bray ([a-z-]+)|`ray ([a-z-]+)", PAGE, re.MULTILINE))
    names = {first or second for first, second in used}
    assert {"up", "attach", "down", "get-auth-token"} <= names <= set(cli.commands)


def test_files_that_it_names_are_there() -> None:
    for path in re.findall(r"\binfra/[\w./*-]+\w", PAGE):
        assert list(ROOT.glob(path)) or path == "infra/docker/.env", path


@pytest.mark.parametrize("path", ["cluster.yaml", "iam-head.json", "iam-worker.json"])
def test_fill_leaves_no_place_open(path: str) -> None:
    (function,) = re.findall(r"^fill\(\) .*$", PAGE, re.MULTILINE)
    values = FILLED | {"AWS_DEFAULT_REGION": FILLED["REGION"], "GROUP": FILLED["SECURITY_GROUP"]}
    filled = subprocess.run(
        ["bash", "-c", f"{function}\nfill {path}"], cwd=ROOT, env=os.environ | values, capture_output=True, text=True
    )
    assert filled.stdout == fill(path)
    assert not PLACE.search(filled.stdout)
    assert (INFRA / "aws" / path).read_text() != filled.stdout


def test_operator_is_told_of_what_the_manifest_needs() -> None:
    spec = documents("kuberay/raycluster.yaml")[0]["spec"]
    gates = {"gcsFaultToleranceOptions": "GCSFaultToleranceEmbeddedStorage", "networkPolicy": "RayClusterNetworkPolicy"}
    assert set(gates) <= set(spec)
    assert re.findall(r'"name": "(\w+)", "enabled": true', SHELL) == list(gates.values())
