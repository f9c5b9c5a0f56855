"""`infra/aws/cluster.yaml` in the hands of Ray's own launcher, up to the calls that start instances."""

import os
import re
import subprocess
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from botocore.exceptions import ParamValidationError

from tests.infra.files import INFRA, fill
from tests.infra.offline_ec2 import GPUS, OfflineEC2, tags
from tests.support.patience import patience

CONFIG: dict[str, Any] = yaml.safe_load(fill("cluster.yaml"))
WORKERS = sorted(set(CONFIG["available_node_types"]) - {CONFIG["head_node_type"]})


def bootstrapped(config: dict[str, Any]) -> dict[str, Any]:
    """What `ray up` makes of a file: defaults, each type's resources, validation, network."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = AWSNodeProvider.fillout_available_node_types_resources(prepare_config(deepcopy(config)))
    validate_config(config)
    return dict(AWSNodeProvider.bootstrap_config(config))


def start(config: dict[str, Any], node_type: str) -> None:
    """Start a node of a type, as the launcher and the autoscaler do."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    node_config = config["available_node_types"][node_type]["node_config"]
    provider.create_node(node_config, {"ray-node-name": node_type, "ray-user-node-type": node_type}, 1)


def test_launcher_takes_the_file(ec2: OfflineEC2) -> None:
    config = bootstrapped(CONFIG)
    types = config["available_node_types"]
    assert types["head"]["resources"]["CPU"] == 0
    assert "GPU" not in types["head"]["resources"]
    for name in WORKERS:
        assert types[name]["resources"]["GPU"] == GPUS[types[name]["node_config"]["InstanceType"]]
        assert types[name]["min_workers"] == 0 < types[name]["max_workers"] <= config["max_workers"]
    assert not ec2.of("CreateSecurityGroup"), "Ray's own group is open to the world's ssh"


def test_launcher_refuses_a_misspelt_key(ec2: OfflineEC2) -> None:
    with pytest.raises(jsonschema.ValidationError, match="idle_timeout_minute"):
        bootstrapped(CONFIG | {"idle_timeout_minute": 10})
    types = deepcopy(CONFIG["available_node_types"])
    types["g5"]["max_worker"] = 1
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        bootstrapped(CONFIG | {"available_node_types": types})


@pytest.mark.parametrize("node_type", ["head", *WORKERS])
def test_every_node_starts_as_it_should(ec2: OfflineEC2, node_type: str) -> None:
    start(bootstrapped(CONFIG), node_type)
    (run,) = ec2.of("RunInstances")
    assert run["MetadataOptions.HttpTokens"] == "required"
    assert run["MetadataOptions.HttpPutResponseHopLimit"] == "2"
    assert run["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert (run.get("InstanceMarketOptions.MarketType") == "spot") == (node_type != "head")
    assert run["IamInstanceProfile.Name"] == ("ganflow-head" if node_type == "head" else "ganflow-worker")
    for resource in ("instance", "volume"):  # iam-head.json starts nothing else
        assert tags(run, resource)["ray-cluster-name"] == CONFIG["cluster_name"]


@pytest.mark.parametrize("path", ["HttpTokens", "Encrypted", "MarketType", "InstanceType"])
def test_ec2_refuses_a_misspelt_key(ec2: OfflineEC2, path: str) -> None:
    text = fill("cluster.yaml").replace(f"{path}:", f"{path}s:")
    config = bootstrapped(CONFIG) | {"available_node_types": yaml.safe_load(text)["available_node_types"]}
    config["available_node_types"]["g5"]["node_config"]["SubnetIds"] = ["subnet-1"]
    with pytest.raises(ParamValidationError, match=f"{path}s"):
        start(config, "g5")


def test_commands_are_ray_s() -> None:
    from ray.scripts.scripts import cli

    commands = [*CONFIG["head_start_ray_commands"], *CONFIG["worker_start_ray_commands"]]
    used = re.findall(r"\bray (\w+)((?: --[\w-]+(?:=\S+)?)*)", "\n".join(commands))
    assert {name for name, _ in used} == {"start", "stop"}
    for name, options in used:
        known = {option for parameter in cli.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", options)) <= known


def test_nothing_listens_to_the_world() -> None:
    head = " ".join(CONFIG["head_start_ray_commands"])
    assert "--dashboard-host=127.0.0.1" in head
    assert "0.0.0.0" not in (INFRA / "aws" / "cluster.yaml").read_text()
    assert "--env RAY_AUTH_MODE=token" in CONFIG["docker"]["run_options"]
    assert "/home/ganflow/.ray/auth_token" in CONFIG["file_mounts"]


def test_watcher_runs_on_workers_only() -> None:
    assert not any("watch" in command for command in CONFIG["head_start_ray_commands"])
    end, start = CONFIG["worker_start_ray_commands"][-2:]
    (pattern,) = re.findall(r"pkill -KILL -f '(.*)'", end)
    assert re.search(pattern, start)
    assert not re.search(pattern, end), "pkill would end its own shell"


def test_worker_s_commands_go_through_ray_s_shells(tmp_path: Path) -> None:
    """Each as Ray's launcher runs it in a container, with programs that only say how they were called."""
    from ray.autoscaler._private.command_runner import _with_interactive
    from ray.autoscaler._private.util import with_head_node_ip

    said = tmp_path / "said"
    for tool in ("ray", "ganflow", "pkill"):
        (tmp_path / tool).write_text(f'#!/bin/sh\necho {tool} "$@" >>{said}\nexit {int(tool == "pkill")}\n')
        (tmp_path / tool).chmod(0o755)
    (tmp_path / ".bash_profile").write_text(f"PATH={tmp_path}:$PATH\n")
    (tmp_path / ".bashrc").touch()
    for command in with_head_node_ip(CONFIG["worker_start_ray_commands"], "10.0.0.5"):
        wrapped = " ".join(_with_interactive(command))
        subprocess.run(
            wrapped, shell=True, env={"HOME": str(tmp_path), "PATH": os.defpath}, check=True, timeout=patience(20)
        )
    wanted = [
        "ray stop",
        "ray start --address=10.0.0.5:6379 --object-manager-port=8076",
        "pkill -KILL -f ganflow[ ]watch",
        "ganflow watch --address=10.0.0.5:6379",
    ]
    end = time.monotonic() + 20  # the last one runs in the background
    while said.read_text().count("\n") < len(wanted) and time.monotonic() < end:
        time.sleep(0.05)
    assert said.read_text().splitlines() == wanted
    assert (tmp_path / "watch.log").exists()
