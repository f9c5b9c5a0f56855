"""Several hosts on one machine. Each is a set of Linux namespaces with an address, a name, processes, a ``/tmp``, a
``/dev/shm`` and a home of its own on one bridge; programs are this machine's, and ``/mnt`` is a small disk that all
share. Needs root and iproute2.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.project import ROOT, title
from tests.system.process import TIED, wait_until

GATEWAY = 254  # this machine, at the end of the hosts' subnet
SHARED_MB = 64  # of the disk that all hosts share
TIMEOUT_S = 120.0
# The first process of a host: it lives as long as the host has power, and lets nobody's orphans linger.
BOOT = """
mount --make-rprivate /
mount --bind {hosts} /etc/hosts
mount --bind {resolver} /etc/resolv.conf
mount -t tmpfs -o size=1g shm /dev/shm
mount --bind {shared} /mnt
{visible}
mount --rbind {tmp} /tmp
hostname {name}
ip link set lo up
trap '' CHLD
touch /tmp/.up
exec sleep infinity
"""


class Network:
    """A bridge and the hosts on it. Ends them all, whatever happened, at the end of its block.

    Args:
        folder: with a short path, for what the hosts write.
        count: how many hosts.
    """

    def __init__(self, folder: Path, count: int) -> None:
        assert os.geteuid() == 0, "separate hosts need root: make test-system"
        self.folder = folder
        self.bridge = f"gfb{os.getpid()}"
        self.subnet = _free_subnet()
        self.gateway = f"{self.subnet}.{GATEWAY}"
        self.shared = folder / "mnt"  # what all hosts see as /mnt
        self.hosts = [Host(self, number) for number in range(1, count + 1)]

    def __enter__(self) -> Self:
        # By default a bridge takes the lowest address of its cables, another one whenever a host comes or goes.
        _ip("link", "add", self.bridge, "address", _mac(GATEWAY), "type", "bridge")
        _ip("address", "add", f"{self.gateway}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        names = "".join(f"{host.address} {host.name}\n" for host in self.hosts)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{names}")
        (self.folder / "resolv.conf").write_text("")  # nobody is asked for names
        self.shared.mkdir()
        _call("mount", "-t", "tmpfs", "-o", f"size={SHARED_MB}m", "shared", str(self.shared))
        for host in self.hosts:
            host.boot()
        return self

    def repair(self) -> None:
        """All hosts have power, and their cables are plugged in."""
        for host in self.hosts:
            if not host.on:
                host.boot()
            host.heal()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for host in self.hosts:
            host.power_off()
        _ip("link", "delete", self.bridge)
        _call("umount", str(self.shared))


class Host:
    """One host of a network, and its one cable."""

    def __init__(self, network: Network, number: int) -> None:
        self.network, self.number = network, number
        self.name = f"h{number}"
        self.address = f"{network.subnet}.{number}"
        self.folder = network.folder / self.name  # what the host sees as /tmp
        self._cable = f"gf{os.getpid()}n{number}"
        self._first: psutil.Process | None = None  # of the host; the others go with it
        self._power: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Switch it on."""
        assert self._first is None
        (self.folder / "home").mkdir(parents=True, exist_ok=True)
        up = self.folder / ".up"
        up.unlink(missing_ok=True)
        here = {"hosts": self.network.folder / "hosts", "resolver": self.network.folder / "resolv.conf"}
        fixed = {"shared": self.network.shared, "tmp": self.folder, "name": self.name, "visible": self._visible()}
        script = "set -e\n" + BOOT.format(**here, **fixed)
        apart = ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command = [*TIED, *apart, "sh", "-c", script]
        with (self.folder / "boot.log").open("a") as log:
            self._power = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(up.exists, f"{self.name} boots", every_s=0.01)
        (self._first,) = psutil.Process(self._power.pid).children()
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", str(self._first.pid))
        _ip("link", "set", self._cable, "master", self.network.bridge, "up")
        # The same card after a power loss: the others know it by its address for minutes.
        self.run("ip", "link", "set", "eth0", "address", _mac(self.number))
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", self.network.gateway)

    def _visible(self) -> str:
        """Commands that let the host's ``/tmp`` hold the programs that lie in this machine's: a clone may be there."""
        lines = []
        for program in sorted({ROOT, Path(sys.prefix)}):
            if program.is_relative_to("/tmp"):
                place = self.path(str(program))
                lines += [f"mkdir -p {place}", f"mount --bind {program} {place}"]
        return "\n".join(lines)

    @property
    def on(self) -> bool:
        """Whether it has power."""
        return self._first is not None

    def power_off(self) -> None:
        """All its processes are gone at once, and nobody is told: no connection is closed."""
        if self._first is None or self._power is None:
            return
        with suppress(AssertionError):
            self.cut()
        processes = self.processes()
        with suppress(psutil.NoSuchProcess):
            self._first.send_signal(signal.SIGKILL)  # the kernel ends all that it is the first of
        self._power.wait(TIMEOUT_S)
        _, alive = psutil.wait_procs(processes, timeout=TIMEOUT_S)
        assert not alive, f"{self.name}: {alive} outlive it"
        with suppress(AssertionError):
            _ip("link", "delete", self._cable)
        self._first = self._power = None

    def cut(self) -> None:
        """Pull its cable."""
        _ip("link", "set", self._cable, "down")

    def heal(self) -> None:
        """Plug its cable in again."""
        _ip("link", "set", self._cable, "up")

    def inside(self, *command: str) -> list[str]:
        """The command of this machine that runs one in the host, with the host's own environment."""
        assert self._first is not None, f"{self.name} is off"
        enter = ["nsenter", f"--target={self._first.pid}", "--net", "--mount", "--uts", "--ipc", "--pid", "--wd=/tmp"]
        return [*enter, "env", "HOME=/tmp/home", "TMPDIR=/tmp", *command]

    def start(self, *command: str, log: Path | None = None, **env: str) -> subprocess.Popen[str]:
        """Start a command in ``/tmp`` of the host; its output goes to ``log``, by default ``<folder>/log``."""
        with (log or self.folder / "log").open("a") as file:
            return subprocess.Popen(
                self.inside(*command), env=_environment(env), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                text=True, start_new_session=True,
            )  # fmt: skip

    def run(self, *command: str, timeout_s: float = TIMEOUT_S, **env: str) -> str:
        """What a command prints. Fails when it fails."""
        done = subprocess.run(
            self.inside(*command), env=_environment(env), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
        said = f"{done.stdout}{done.stderr}"
        assert done.returncode == 0, f"{self.name}: {shlex.join(command)}: {done.returncode}\n{said}"
        return done.stdout

    def processes(self, start: str = "") -> list[psutil.Process]:
        """Its processes whose command line begins with ``start``, but the first one."""
        if self._first is None:
            return []
        mine = _pid_namespace(self._first.pid)
        found = [p for p in psutil.process_iter() if p.pid != self._first.pid and _pid_namespace(p.pid) == mine]
        return [p for p in found if title(p).startswith(start)]

    def reaches(self, other: "Host | str", port: int) -> bool:
        """Whether a connection to a port of another host, or of an address, comes about in two seconds."""
        address = other if isinstance(other, str) else other.address
        try:
            self.run("bash", "-c", f"exec timeout 2 bash -c '</dev/tcp/{address}/{port}'")
        except AssertionError:
            return False
        return True

    def path(self, inside: str) -> Path:
        """Where a file of the host's ``/tmp`` or ``/mnt`` is on this machine."""
        top, name = ("/mnt", self.network.shared) if inside.startswith("/mnt") else ("/tmp", self.folder)
        return name / Path(inside).relative_to(top)


def _environment(more: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "AWS_"))} | more


def _ip(*arguments: str) -> None:
    _call("ip", *arguments)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"


def _mac(number: int) -> str:
    """The address of a network card, by the last byte of the address of its machine."""
    return f"02:67:66:00:00:{number:02x}"


def _free_subnet() -> str:
    """The first three bytes of a /24 that nobody on this machine has."""
    taken = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True, check=True).stdout
    candidates: Iterable[str] = (f"10.91.{(os.getpid() + i) % 256}" for i in range(256))
    return next(subnet for subnet in candidates if f" {subnet}." not in taken)


def _pid_namespace(pid: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return ""
