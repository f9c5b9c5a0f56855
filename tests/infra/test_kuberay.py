"""The manifests for KubeRay against the operator's definitions, and against what the operator asks beyond them."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.infra.files import documents
from tests.support.kuberay_fields import KINDS, RECORD, definitions

(CLUSTER,) = documents("kuberay/raycluster.yaml")
(JOB,) = documents("kuberay/rayjob.yaml")
SPEC = CLUSTER["spec"]
GROUPS = {group["groupName"]: group for group in SPEC["workerGroupSpecs"]}
SCHEMAS = os.environ.get("GANFLOW_SCHEMAS")  # a folder with the operator's definitions themselves


def check(document: dict[str, Any], schemas: dict[str, Any] | None = None) -> None:
    """Refuse what the operator would refuse, or drop without a word."""
    record = schemas or json.loads(RECORD.read_text())["$defs"]
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{document['kind']}", "$defs": record}).validate(document)


def pods() -> Iterator[dict[str, Any]]:
    yield SPEC["headGroupSpec"]["template"]["spec"]
    yield from (group["template"]["spec"] for group in GROUPS.values())
    yield JOB["spec"]["submitterPodTemplate"]["spec"]


def containers() -> Iterator[dict[str, Any]]:
    for pod in pods():
        yield from pod["containers"]


@pytest.mark.parametrize("document", [CLUSTER, JOB], ids=KINDS)
def test_operator_takes_it(document: dict[str, Any]) -> None:
    check(document)
    if SCHEMAS:
        check(document, definitions(Path(SCHEMAS)))


@pytest.mark.skipif(not SCHEMAS, reason="compares the record of the definitions with the definitions themselves")
def test_record_is_the_definitions() -> None:
    record = json.loads(RECORD.read_text())["$defs"]

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            name = value.get("$ref")
            return whole(record[name.rpartition("/")[2]]) if name else {k: whole(v) for k, v in value.items()}
        return value

    assert {kind: whole(record[kind]) for kind in KINDS} == definitions(Path(str(SCHEMAS)))


def wrong(path: str, value: Any) -> dict[str, Any]:
    """The cluster with ``value`` at a dotted path."""
    document = deepcopy(CLUSTER)
    *way, last = path.split(".")
    at: Any = document
    for step in way:
        at = at[int(step) if step.isdecimal() else step]
    at[int(last) if last.isdecimal() else last] = value
    return document


POD = "spec.workerGroupSpecs.0.template.spec"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.enableInTreeAutoscalling", True),
        ("spec.headGroupSpec.rayStartParams", {"num-cpus": 0}),
        ("spec.gcsFaultToleranceOptions.backend", "sqlite"),
        ("spec.gcsFaultToleranceOptions.storage.size", "5 GB"),
        (f"{POD}.terminationGracePeriodSecond", 120),
        (f"{POD}.terminationGracePeriodSeconds", "120"),
        (f"{POD}.containers.0.resource", {}),
        (f"{POD}.containers.0.lifecycle.preStop.exec.cmd", ["true"]),
        (f"{POD}.tolerations.0.operators", "Exists"),
        ("spec.workerGroupSpecs.0.template.metadata", {"label": {}}),
        ("metadata.lables", {}),
        ("spec.workerGroupSpecs.0", {"groupName": "spot"}),
    ],
)
def test_operator_refuses_mistakes(path: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(wrong(path, value))


def test_head_does_no_work() -> None:
    assert SPEC["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    head = SPEC["headGroupSpec"]["template"]["spec"]["containers"][0]["resources"]
    assert not any("gpu" in name for name in (*head["requests"], *head["limits"]))


def test_workers_come_with_the_work_spot_first() -> None:
    spot, on_demand = GROUPS["spot"], GROUPS["on-demand"]
    assert spot["priority"] > on_demand["priority"]
    assert spot["template"]["spec"]["nodeSelector"] != on_demand["template"]["spec"]["nodeSelector"]
    for group in GROUPS.values():
        assert group["replicas"] == group["minReplicas"] == 0 < group["maxReplicas"]
        pod = group["template"]["spec"]
        assert "nvidia.com/gpu" in {toleration["key"] for toleration in pod["tolerations"]}
        assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_a_worker_that_must_go_drains_first(group: dict[str, Any]) -> None:
    pod = group["template"]["spec"]
    worker, watch = pod["containers"]
    _, pause = worker["lifecycle"]["preStop"]["exec"]["command"]
    assert 60 <= int(pause) < pod["terminationGracePeriodSeconds"]
    assert "lifecycle" not in watch, "it is told at once"
    assert watch["command"][:2] == ["ganflow", "watch"]
    assert watch["command"][2] == f"--address={CLUSTER['metadata']['name']}-head-svc:6379"
    assert worker["volumeMounts"] == watch["volumeMounts"], "Ray's session, by which a node knows itself"
    assert {entry["name"] for entry in watch["env"]} >= {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}  # KubeRay: Ray's own only


def test_what_the_operator_sets_itself_is_left_to_it() -> None:
    assert SPEC["gcsFaultToleranceOptions"]["backend"] == "rocksdb"
    (head,) = SPEC["headGroupSpec"]["template"]["spec"]["containers"]
    assert not [entry for entry in head["env"] if entry["name"].startswith(("RAY_gcs_", "RAY_AUTH_"))]


def test_network_lets_in_drivers_and_the_operator() -> None:
    label = JOB["spec"]["submitterPodTemplate"]["metadata"]["labels"]
    drivers = {"from": [{"podSelector": {"matchLabels": label}}]}
    policy = SPEC["networkPolicy"]
    assert policy["worker"]["ingressRules"] == [drivers]
    first, operator = policy["head"]["ingressRules"]
    assert first == drivers
    assert [port["port"] for port in operator["ports"]] == [8265], "jobs, and nothing else"
    assert JOB["spec"]["clusterSelector"] == {"ray.io/cluster": CLUSTER["metadata"]["name"]}


def test_pods_are_confined() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert set(container["resources"]["requests"]) <= set(container["resources"]["limits"])
            assert {"cpu", "memory"} <= set(container["resources"]["limits"])


def test_secrets_are_named_never_written() -> None:
    assert SPEC["authOptions"] == {"mode": "token", "secretName": "ganflow-token"}
    secret = re.compile("KEY|TOKEN|SECRET|PASSWORD")
    for container in containers():
        assert not [e for e in container.get("env", []) if secret.search(e["name"]) and "value" in e]
        assert all("secretRef" in source for source in container.get("envFrom", []))


def test_one_image() -> None:
    (image,) = {container["image"] for container in containers()}
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", image)


def test_job_runs_what_it_says(tmp_path: Path) -> None:
    """The entry point goes through a shell and `ray job submit`, which makes one line of it for the head."""
    (tmp_path / "project").mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("ganflow", "dvc"):
        (tools / tool).write_text(f'#!/bin/sh\necho "$(pwd)" {tool} "$@"\n')
        (tools / tool).chmod(0o755)
    line = subprocess.list2cmdline(shlex.split(JOB["spec"]["entrypoint"]))
    environment = {"HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"{tmp_path}/project ganflow config compose cluster.storage=s3://BUCKET/ganflow "
        "cluster.gpu=true cluster.workers=[2,8]",
        f"{tmp_path}/project dvc repro",
    ]
