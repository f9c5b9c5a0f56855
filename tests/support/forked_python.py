# `python` and `dvc` of tests: asks the process beside it for a fork that runs DVC, a stage, `ganflow`, MLflow's server,
# a worker or an agent of Ray, hands signals on to it and ends as it ends. All else is run by the real one, REAL, which
# tests.support.preloaded writes above this.
import contextlib
import json
import os
import select
import signal
import socket
import sys

FORKED = ("dvc", "ganflow", "mlflow", "pipelines", "uvicorn")
NAMES = ("/worker_entry.py", "/default_worker.py", "/dashboard/agent.py", "/runtime_env/agent/main.py")  # of Ray

own = os.path.abspath(__file__)
arguments = [*(["-m", "dvc"] if own.endswith("/dvc") else []), *sys.argv[1:]]
asked_for = arguments
arguments = arguments[arguments[:1] == ["-u"] :]
module = arguments[:1] == ["-m"] and arguments[1].split(".")[0] in FORKED
if not module and not (arguments and arguments[0].endswith(NAMES)):
    os.execv(REAL, [REAL, *asked_for])  # noqa: F821

# A signal may come at any time: what is written to `woken` as it comes cannot fall between a look and a wait.
woken, waking = os.pipe()
os.set_blocking(waking, False)
signal.set_wakeup_fd(waking)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: None)

server = socket.socket(socket.AF_UNIX)
server.connect(os.path.dirname(own) + "/socket")
socket.send_fds(server, [b" "], [0, 1, 2])
asked = {"arguments": ["python", *arguments], "folder": os.getcwd(), "env": dict(os.environ), "tied": True}
server.sendall(json.dumps(asked).encode() + b"\n")
answers = server.makefile("r")
pid = int(answers.readline())
while woken in select.select([server, woken], [], [])[0]:
    for number in os.read(woken, 64):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(pid, number)
status = int(answers.readline() or -signal.SIGKILL)
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if status != -signal.SIGKILL else None
    os.kill(os.getpid(), -status)
os._exit(status)
