"""What a worker of Ray's is started with, beside Ray's own program for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ray._private.runtime_env.context import RuntimeEnvContext
from ray._private.workers import setup_worker

from ganflow.cluster.session import worker_entry

WORKER = "import json, os, sys; print(json.dumps([[os.getcwd(), *sys.argv], dict(os.environ), sys.executable]))"
ENV = {"HERE": "a b", "PATH": os.environ["PATH"], "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}


def started(program: str, context: str, worker: Path) -> list[object]:
    """The arguments, the environment and the Python that a worker has after this program."""
    options = [
        "--language=PYTHON",
        str(worker),
        "--name=a $HOME 'b'",
        f"--serialized-runtime-env-context={context}",
        "--n",
    ]
    run = subprocess.run(
        [sys.executable, program, *options], capture_output=True, text=True, env=ENV, check=True, timeout=60
    )
    arguments, environment, python = json.loads(run.stdout.splitlines()[-1])
    # Ray's own adds what its shell wants, and what importing Ray leaves.
    added = ("_", "SHLVL", "PWD", "OLDPWD", "RAY_CLIENT_MODE")
    return [arguments, {name: value for name, value in environment.items() if name not in added}, python]


@pytest.mark.slow
@pytest.mark.parametrize("context", [
    "", "{}", RuntimeEnvContext().serialize(),
    RuntimeEnvContext(env_vars={"A": "1", "B": "${HERE}/c:${NOT_THERE}:$HERE", "PATH": "/x:${PATH}"}).serialize(),
    RuntimeEnvContext(py_executable=f"env OTHER=1 {sys.executable}").serialize(),
    RuntimeEnvContext(env_vars={"A": "1"}, command_prefix=["cd", "'/tmp'", "&&"]).serialize(),
    RuntimeEnvContext(command_prefix=["export", "BEFORE=1", "&&"]).serialize(),
])  # fmt: skip
def test_a_worker_is_what_ray_makes_of_it(context: str, tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    assert started(worker_entry.__file__, context, worker) == started(setup_worker.__file__, context, worker)


def test_it_does_not_load_ray() -> None:
    asked = f"import runpy, sys; runpy.run_path({worker_entry.__file__!r}); print('ray' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
