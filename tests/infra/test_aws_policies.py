"""The rights of an AWS cluster's nodes: what they need, and nothing beside it."""

import fnmatch
import json
from typing import Any

import pytest

from tests.infra.files import FILLED, fill
from tests.infra.offline_ec2 import OfflineEC2, tags
from tests.infra.test_aws_cluster import CONFIG, WORKERS, bootstrapped, start

POLICIES = {name: json.loads(fill(name)) for name in ("iam-head.json", "iam-worker.json")}
WHOLE_ACCOUNT = {"ec2:DescribeInstances", "ecr:GetAuthorizationToken"}  # AWS cannot narrow these down
ARN = f"arn:aws:ec2:{FILLED['REGION']}:{FILLED['ACCOUNT']}:"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def excesses(policy: dict[str, Any]) -> list[str]:
    """Statements that say more than a cluster needs."""
    found = []
    for statement in policy["Statement"]:
        actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
        found += [f"{action}: any action" for action in actions if "*" in action]
        if "*" in resources and not set(actions) <= WHOLE_ACCOUNT:
            found.append(f"{actions}: any resource")
        if any(action.startswith("s3:") for action in actions):
            found += [f"{arn}: beyond the bucket" for arn in resources if f":::{FILLED['BUCKET']}" not in arn]
        if statement["Effect"] != "Allow" or {"NotAction", "NotResource"} & set(statement):
            found.append(f"{actions}: said by exclusion")
    return found


def allowed(policy: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> bool:
    """IAM's answer for an identity with this policy alone; of conditions StringEquals, StringLike and …IfExists."""
    return any(
        action in as_list(statement["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))
        and all(
            any(fnmatch.fnmatchcase(context.get(key, ""), pattern) for pattern in as_list(patterns))
            or (operator.endswith("IfExists") and key not in context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, patterns in keys.items()
        )
        for statement in policy["Statement"]
    )


@pytest.mark.parametrize("name", POLICIES)
def test_policies_give_no_more(name: str) -> None:
    assert excesses(POLICIES[name]) == []
    known = {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert all(set(statement) <= known for statement in POLICIES[name]["Statement"])


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "ec2:*", "Resource": f"{ARN}instance/*"},
        {"Effect": "Allow", "Action": "ec2:TerminateInstances", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::another/*"},
    ],
)
def test_too_much_is_seen(statement: dict[str, Any]) -> None:
    assert len(excesses({"Statement": [statement]})) == 1


@pytest.mark.parametrize("node_type", WORKERS)
def test_head_may_start_workers(ec2: OfflineEC2, node_type: str) -> None:
    start(bootstrapped(CONFIG), node_type)
    (run,) = ec2.of("RunInstances")
    head = POLICIES["iam-head.json"]
    tagged = {f"aws:RequestTag/{key}": value for key, value in tags(run, "instance").items()}
    for made in ("instance/i-1", "volume/vol-1", "network-interface/eni-1"):
        assert allowed(head, "ec2:RunInstances", ARN + made, tagged)
    for used in (
        f"key-pair/{run['KeyName']}",
        f"security-group/{run['SecurityGroupId.1']}",
        f"subnet/{run['SubnetId']}",
    ):
        assert allowed(head, "ec2:RunInstances", ARN + used, {})
    assert allowed(head, "ec2:RunInstances", f"arn:aws:ec2:{FILLED['REGION']}::image/{run['ImageId']}", {})
    assert allowed(head, "ec2:CreateTags", f"{ARN}instance/i-1", {"ec2:CreateAction": "RunInstances"})


def test_head_may_touch_its_own_cluster_only() -> None:
    head = POLICIES["iam-head.json"]
    ours, theirs = ({"aws:ResourceTag/ray-cluster-name": name} for name in ("ganflow", "another"))
    assert allowed(head, "ec2:TerminateInstances", f"{ARN}instance/i-1", ours)
    assert not allowed(head, "ec2:TerminateInstances", f"{ARN}instance/i-1", theirs)
    assert not allowed(head, "ec2:CreateTags", f"{ARN}instance/i-1", theirs)
    assert not allowed(head, "ec2:RunInstances", f"{ARN}instance/i-1", {})
    role = f"arn:aws:iam::{FILLED['ACCOUNT']}:role/"
    passed = {"iam:PassedToService": "ec2.amazonaws.com"}
    assert allowed(head, "iam:PassRole", f"{role}ganflow-worker", passed)
    assert not allowed(head, "iam:PassRole", f"{role}ganflow-head", passed)


def test_nodes_reach_their_prefix_only() -> None:
    worker = POLICIES["iam-worker.json"]
    bucket = f"arn:aws:s3:::{FILLED['BUCKET']}"
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert allowed(worker, action, f"{bucket}/ganflow/ray/run/checkpoint", {})
        assert not allowed(worker, action, f"{bucket}/others/object", {})
    assert allowed(worker, "s3:ListBucket", bucket, {"s3:prefix": "ganflow/ray"})
    assert not allowed(worker, "s3:ListBucket", bucket, {"s3:prefix": "others"})
    assert allowed(worker, "s3:ListBucket", bucket, {}), "Ray's storage asks first whether the bucket is there"
