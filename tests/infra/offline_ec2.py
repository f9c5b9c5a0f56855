"""EC2 without a network: botocore checks and writes every call by its model of the service, and we answer it."""

import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse

GPUS = {"m6i.xlarge": 0, "g6.2xlarge": 1, "g5.2xlarge": 1, "g6e.2xlarge": 1, "p4d.24xlarge": 8}
_ANSWERS = {
    "DescribeInstanceTypes": "<instanceTypeSet>{types}</instanceTypeSet>",
    "DescribeSecurityGroups": "<securityGroupInfo><item><groupId>sg-0123456789abcdef0</groupId><vpcId>vpc-1</vpcId>"
    "</item></securityGroupInfo>",
    "DescribeSubnets": "<subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><state>available</state>"
    "<availabilityZone>eu-central-1a</availabilityZone><mapPublicIpOnLaunch>true</mapPublicIpOnLaunch></item></subnetSet>",
    "DescribeInstances": "<reservationSet><item><instancesSet>{instance}</instancesSet></item></reservationSet>",
    "RunInstances": "<instancesSet>{instance}</instancesSet>",
    "TerminateInstances": "<instancesSet/>",
    "CreateTags": "<return>true</return>",
}
_INSTANCE = (
    "<item><instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><tagSet><item>"
    "<key>ray-cluster-name</key><value>ganflow</value></item></tagSet></item>"
)
_TYPE = (
    "<item><instanceType>{}</instanceType><vCpuInfo><defaultVCpus>8</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>32768"
    "</sizeInMiB></memoryInfo>{}</item>"
)
_GPU = (
    "<gpuInfo><gpus><item><name>GPU</name><manufacturer>NVIDIA</manufacturer><count>{}</count></item></gpus></gpuInfo>"
)


class OfflineEC2:
    """The calls that were made, as (operation, parameters in EC2's flat form)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []

    def answer(self, request: AWSRequest, **_: Any) -> AWSResponse:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        parameters = dict(parse_qsl(body))
        operation = parameters["Action"]
        self.calls.append((operation, parameters))
        types = "".join(_TYPE.format(name, _GPU.format(gpus) if gpus else "") for name, gpus in GPUS.items())
        inner = _ANSWERS[operation].format(types=types, instance=_INSTANCE)
        xml = f'<{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{inner}</{operation}Response>'
        return AWSResponse(request.url, 200, {"content-type": "text/xml"}, _Raw(xml.encode()))

    def of(self, operation: str) -> list[dict[str, str]]:
        return [parameters for name, parameters in self.calls if name == operation]


class _Raw:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self) -> list[bytes]:
        return [self.content]


def tags(run: dict[str, str], resource: str) -> dict[str, str]:
    """The tags that a RunInstances call puts on what it makes of ``resource``."""
    found = {}
    for key, value in run.items():
        if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", key) and value == resource:
            stem = re.escape(key.removesuffix("ResourceType"))
            names = {k: v for k, v in run.items() if re.fullmatch(stem + r"Tag\.\d+\.Key", k)}
            found |= {name: run[k.removesuffix("Key") + "Value"] for k, name in names.items()}
    return found


@cache
def _session() -> tuple[boto3.session.Session, OfflineEC2]:
    """One for all tests: reading the model of EC2 takes a second."""
    ec2 = OfflineEC2()
    session = boto3.session.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="eu-central-1")
    session.events.register("before-send.ec2", ec2.answer)
    return session, ec2


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> OfflineEC2:
    """What boto3's clients talk to; Ray keeps those that it made."""
    session, answering = _session()
    answering.calls.clear()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    return answering
