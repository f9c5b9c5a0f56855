"""A real S3 server: OpenStack Swift with its S3 API, four processes over one folder; `make test-system` installs it."""

import os
import pwd
import signal
import subprocess
import urllib.request
from configparser import ConfigParser
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.project import ROOT
from tests.system.process import Server

BIN = ROOT / ".venv/swift/bin"
ACCOUNT, USER, SECRET = "gan", "admin", "a-secret-of-these-tests"
REGION = "us-east-1"
LAYERS = ("account", "container", "object")
# Outermost first. S3 calls are signed, so nothing asks for tempauth's tokens and no memcached is needed.
PIPELINE = ("catch_errors", "healthcheck", "listing_formats", "s3api", "tempauth", "copy", "slo", "symlink")
PIPELINE += ("versioned_writes", "proxy-server")
OPTIONS = {
    "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
    "filter:tempauth": {f"user_{ACCOUNT}_{USER}": f"{SECRET} .admin"},
    "filter:s3api": {"location": REGION, "s3_acl": "no", "check_bucket_owner": "no"},
    "filter:versioned_writes": {"allow_object_versioning": "true"},
}


class Swift:
    """The server. Its data outlive ``stop`` and ``start``.

    Args:
        folder: of its own, on a filesystem with extended attributes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {name: free_port() for name in (*LAYERS, "proxy")}
        self._servers = {name: self._server(name) for name in self._ports}
        self.port = self._ports["proxy"]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start what does not run; answers when this returns."""
        if not (self.folder / "swift.conf").exists():
            self._set_up()
        for server in self._servers.values():
            server.launch()
        for name, server in self._servers.items():
            server.wait(partial(_answers, self._ports[name]))

    def start_front(self) -> None:
        """Start the process that speaks S3."""
        self._servers["proxy"].start(partial(_answers, self.port))

    def stop_front(self) -> None:
        """Crash the process that speaks S3: connections are refused from now on."""
        self._servers["proxy"].stop()

    def stop(self) -> None:
        """End all of it."""
        for server in self._servers.values():
            server.stop()

    def pause(self) -> None:
        """Let the process that speaks S3 hang: connections are taken and never answered."""
        self._servers["proxy"].send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._servers["proxy"].send(signal.SIGCONT)

    def environment(self, endpoint: str | None = None, secret: str = SECRET) -> dict[str, str]:
        """What tells boto3, pyarrow, DVC and MLflow how to reach it."""
        endpoint = endpoint or self.endpoint
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_S3": endpoint,
            "MLFLOW_S3_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": f"{ACCOUNT}:{USER}",
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, endpoint: str | None = None, secret: str = SECRET, **config: Any) -> Any:
        """boto3's client of it."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3", endpoint_url=endpoint or self.endpoint, aws_access_key_id=f"{ACCOUNT}:{USER}", region_name=REGION,
            aws_secret_access_key=secret, config=Config(**config),
        )  # fmt: skip

    def _server(self, name: str) -> Server:
        command = [str(BIN / f"swift-{name}-server"), str(self.folder / f"{name}.conf")]
        return Server(f"Swift's {name} server", command, self.folder / f"{name}.log")

    def _set_up(self) -> None:
        assert BIN.is_dir(), "Swift is not installed; `make test-system` does it"
        (self.folder / "disks/d1").mkdir(parents=True)
        probe = self.folder / "disks/probe"
        probe.touch()
        try:
            os.setxattr(probe, "user.ganflow", b"1")
        except OSError as error:
            raise AssertionError(f"{self.folder}: Swift needs extended attributes ({error}); set TMPDIR") from None
        hashing = {"swift_hash_path_prefix": "a", "swift_hash_path_suffix": "b"}
        policy = {"name": "one", "default": "yes"}
        self._write("swift", {"swift-hash": hashing, "storage-policy:0": policy})
        for layer in LAYERS:
            self._set_up_layer(layer)
        sections = {"pipeline:main": {"pipeline": " ".join(PIPELINE)}}
        for name in PIPELINE[:-1]:
            sections[f"filter:{name}"] = {"use": f"egg:swift#{name}"} | OPTIONS.get(f"filter:{name}", {})
        self._write("proxy", self._default(self.port) | sections | {"app:proxy-server": OPTIONS["app:proxy-server"]})

    def _set_up_layer(self, layer: str) -> None:
        sections = {
            "pipeline:main": {"pipeline": f"healthcheck {layer}-server"},
            "filter:healthcheck": {"use": "egg:swift#healthcheck"},
            f"app:{layer}-server": {"use": f"egg:swift#{layer}"},
        }
        self._write(layer, self._default(self._ports[layer]) | sections)
        ring = Ring(self.folder / f"{layer}.builder")
        ring.make(self._ports[layer])

    def _default(self, port: int) -> dict[str, dict[str, str]]:
        here = {"swift_dir": str(self.folder), "devices": str(self.folder / "disks"), "mount_check": "false"}
        process = {"bind_ip": "127.0.0.1", "bind_port": str(port), "workers": "0", "log_level": "WARNING"}
        return {"DEFAULT": {**here, **process, "user": _me(), "fallocate_reserve": "0"}}

    def _write(self, name: str, sections: dict[str, dict[str, str]]) -> None:
        parser = ConfigParser(default_section="", interpolation=None)
        parser.read_dict(sections)
        with (self.folder / f"{name}.conf").open("w") as file:
            parser.write(file)


class Ring:
    """Where a layer's data lie: all on one disk, in one copy."""

    def __init__(self, builder: Path) -> None:
        self.builder = builder

    def make(self, port: int) -> None:
        """Write the ring beside its builder's file."""
        power, replicas, hours = "2", "1", "1"
        self._call("create", power, replicas, hours)
        self._call("add", f"r1z1-127.0.0.1:{port}/d1", "1")
        self._call("rebalance")

    def _call(self, *arguments: str) -> None:
        command = [str(BIN / "swift-ring-builder"), str(self.builder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr  # 1 is a warning: one disk is not safe


def _answers(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/healthcheck"
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _me() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
