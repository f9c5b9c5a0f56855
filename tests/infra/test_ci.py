"""The workflow for GitHub, as far as it can be held without GitHub: its form, its scripts, and what its gate says."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from ganflow.cli.app import app
from tests.infra.files import INFRA, ROOT, documents

TEXT = (INFRA / "ci" / "promote.yaml").read_text()
(WORKFLOW,) = documents("ci/promote.yaml")
ON: dict[str, Any] = WORKFLOW[True]  # YAML 1.1 takes `on` for a truth value; GitHub does not
(JOB,) = WORKFLOW["jobs"].values()
STEPS: list[dict[str, Any]] = JOB["steps"]
SCRIPTS = {step["name"]: step["run"] for step in STEPS if "run" in step}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")

STUB = """#!/usr/bin/env bash
printf '%s\\n' "$@" > asked
printf '%s\\n' "$SAYS"
exit "$STATUS"
"""


def gate(folder: Path, status: int = 0, says: str = "", model: str = "ganflow-digits") -> tuple[int, str]:
    """The gate's script as GitHub runs it, with a stub of `ganflow`: its status and its summary."""
    (folder / "bin").mkdir()
    stub = folder / "bin" / "ganflow"
    stub.write_text(STUB)
    stub.chmod(0o755)
    env = {"PATH": f"{stub.parent}{os.pathsep}{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(folder / "summary"),
           "MODEL": model, "STATUS": str(status), "SAYS": says}  # fmt: skip
    (folder / "gate.sh").write_text(SCRIPTS["Gate"])
    options = ["--noprofile", "--norc", "-eo", "pipefail"]  # GitHub's of `shell: bash`
    done = subprocess.run(["bash", *options, "gate.sh"], cwd=folder, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, (folder / "summary").read_text()


def test_it_starts_by_hand_by_a_call_and_every_day() -> None:
    assert set(ON) == {"workflow_dispatch", "repository_dispatch", "schedule"}
    assert ON["workflow_dispatch"]["inputs"]["model"]["required"] is True
    assert ON["repository_dispatch"] == {"types": ["challenger"]}
    (schedule,) = ON["schedule"]
    assert len(schedule["cron"].split()) == 5
    assert f"event_type={ON['repository_dispatch']['types'][0]}" in TEXT


def test_only_keys_that_github_knows() -> None:
    assert set(WORKFLOW) == {"name", True, "permissions", "concurrency", "defaults", "jobs"}
    assert set(JOB) == {"runs-on", "timeout-minutes", "steps"}
    for step in STEPS:
        assert set(step) <= {"name", "if", "uses", "with", "env", "run"}
        assert ("uses" in step) != ("run" in step)


def test_it_may_read_the_repository_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    (checkout,) = (step for step in STEPS if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["persist-credentials"] is False


def test_one_gate_at_a_time_and_none_is_cut_off() -> None:
    assert WORKFLOW["concurrency"] == {"group": "promote", "cancel-in-progress": False}
    assert WORKFLOW["defaults"] == {"run": {"shell": "bash"}}


def test_actions_are_pinned_by_their_commit() -> None:
    used = re.findall(r"uses: (.*)$", TEXT, re.MULTILINE)
    assert len(used) == 3
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in used)


def test_secrets_go_from_the_vault_into_the_environment_of_the_steps_that_ask_for_them() -> None:
    for where in (WORKFLOW, JOB):
        assert "env" not in where
    for step in STEPS:
        for name, value in step.get("env", {}).items():
            if name != "MODEL":
                assert value == f"${{{{ secrets.{name} }}}}"
    assert TEXT.count("secrets.") == sum(name != "MODEL" for step in STEPS for name in step.get("env", {}))


def test_nothing_from_outside_stands_in_a_script() -> None:
    assert [name for name, script in SCRIPTS.items() if EXPRESSION.search(script)] == []
    free = [inner for inner in EXPRESSION.findall(TEXT) if not inner.startswith("secrets.")]
    assert free == ["inputs.model || github.event.client_payload.model || 'ganflow-digits'", "!cancelled()"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_bash_whose_variables_are_quoted(name: str) -> None:
    subprocess.run(["bash", "-n"], input=SCRIPTS[name], text=True, check=True)
    never_split = r"\[\[.*?\]\]|\"[^\"]*\"|^ *\w+=\$\(.*\)$|\|\| status=\$\?"
    assert "$" not in re.sub(never_split, "", SCRIPTS[name], flags=re.MULTILINE)


def test_commands_and_options_are_there() -> None:
    commands: Any = typer.main.get_command(app)
    called = re.findall(r"\bganflow ([a-z]+) (.*)$", SCRIPTS["Gate"], re.MULTILINE)
    assert [name for name, _ in called] == ["promote"]
    for name, rest in called:
        known = {option for parameter in commands.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known
    assert re.search(r"^setup:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    (stages,) = (node["stages"] for node in documents("../dvc.yaml"))
    assert SCRIPTS["Reference data"].split()[2] in stages


VERDICTS = [
    (0, "promoted: d version 2 is champion", 0, "**Champion:** promoted: d version 2 is champion\n"),
    (0, "d version 2 is champion already", 0, "**Champion:** d version 2 is champion already\n"),
    (1, "challenger: …\nrefused: d version 2 does not become champion: fid", 1,
     "**Refused:** d version 2 does not become champion: fid\n"),
    (1, "challenger: …", 2, "**Error:** no verdict; the log of this step says why.\n"),
    (2, "", 2, "**Error:** no verdict; the log of this step says why.\n"),
    (127, "", 2, "**Error:** no verdict; the log of this step says why.\n"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "says", "ends", "summary"), VERDICTS)
def test_a_refusal_is_told_from_an_error(status: int, says: str, ends: int, summary: str, tmp_path: Path) -> None:
    assert gate(tmp_path, status, says) == (ends, summary)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["promote", "ganflow-digits@challenger", "--page", "decision/decision.html"]
    assert (tmp_path / "decision" / "said.txt").read_text() == f"{says}\n"


NO_NAMES = ["", "-h", "--page=/x", "a b", "$(touch ran)", "`touch ran`", "a;touch ran", "a\nb", "a/3", "a@champion"]


@pytest.mark.parametrize("model", NO_NAMES)
def test_the_gate_takes_names_alone(model: str, tmp_path: Path) -> None:
    assert gate(tmp_path, model=model)[0] == 2
    assert not (tmp_path / "asked").exists()
    assert not (tmp_path / "ran").exists()
