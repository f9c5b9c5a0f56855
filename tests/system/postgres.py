"""A PostgreSQL of its own, as Debian's package has it: a cluster in a temporary folder, over TCP on loopback."""

import glob
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.ports import free_port
from tests.system.process import Server

OWNER = "ganflow"  # of the databases


class Postgres:
    """The server. It refuses to run as root, so it runs as ``nobody`` then.

    Args:
        folder: of its own; every folder above must let ``nobody`` through.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._user = "nobody" if os.getuid() == 0 else None
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        settings = [word for option in options for word in ("-c", option)]
        command = [_program("postgres"), "-D", str(self._data), *settings]
        self._server = Server("PostgreSQL", command, folder / "postgres.log", user=self._user)

    def start(self) -> None:
        """Make the cluster if it is not there, and start it; answers when this returns."""
        if not self._data.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._user:
                shutil.chown(self.folder, self._user)
            self._make()
        self._server.start(self.answers)

    def stop(self) -> None:
        """End it."""
        self._server.stop()

    def uri(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database; its address."""
        self.query("postgres", f"CREATE DATABASE {database}")
        return self.uri(database)

    def query(self, database: str, sql: str) -> list[tuple[object, ...]]:
        """Rows of a statement."""
        import psycopg2

        connection = psycopg2.connect(self.uri(database), connect_timeout=5)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether it takes queries."""
        import psycopg2

        with suppress(psycopg2.OperationalError):
            return self.query("postgres", "SELECT 1") == [(1,)]
        return False

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _make(self) -> None:
        how = ["--auth", "trust", "--username", OWNER, "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        command = [_program("initdb"), "--pgdata", str(self._data), *how]
        done = subprocess.run(command, capture_output=True, text=True, check=False, user=self._user, cwd="/")
        assert done.returncode == 0, done.stderr


def _program(name: str) -> str:
    """Where Debian keeps it, which is not on PATH."""
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)
    assert found, "PostgreSQL is not installed; `make test-system` does it"
    return found
