"""Clusters: looked over, and watched."""

from pathlib import Path
from typing import Annotated

import typer

from ganflow.cli.options import Params

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor")
def doctor(
    params: Params = Path("params.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="Everything that was found, for programs.")] = False,
    bandwidth: Annotated[bool, typer.Option(help="Measure the all-reduce, too.")] = True,
) -> None:
    """Examine the cluster that params.yaml or RAY_ADDRESS names (else this machine) before a run is paid for.

    On every node: does it answer; are Python, Ray, torch and ganflow the driver's; does torch see the GPUs that Ray
    offers; free disk at cluster.cache; the clock; cluster.storage read and written. Then room for cluster.workers, the
    speed of an all-reduce between the workers, and MLflow. Ends with status 1 if there is a fault; each is one line
    with the way out.

    \b
    Examples:
      ganflow doctor
      RAY_ADDRESS=10.0.0.1:6379 ganflow doctor --json
    """
    from ganflow.commands import doctor as command

    examination = command.doctor(params, bandwidth=bandwidth)
    for line in [command.as_json(examination)] if as_json else command.lines(examination):
        typer.echo(line)
    if command.faults(examination):
        raise typer.Exit(1)


@app.command("watch")
def watch(
    address: Annotated[str, typer.Option(help="host:port of the cluster's head. auto: whichever runs here.")] = "auto",
    node_ip: Annotated[str | None, typer.Option(help="One node, where several run on this machine.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Of EC2's metadata; else AWS_EC2_METADATA_SERVICE_ENDPOINT or link-local.")
    ] = None,
    interval: Annotated[float, typer.Option(help="Seconds between looks for a notice.")] = 2.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that work gets after SIGTERM; less than its sender waits.")
    ] = 30,
    rebalance: Annotated[str, typer.Option(help="At a rebalance recommendation: note it, or drain.")] = "note",
) -> None:
    """Beside Ray on every node: at a spot interruption notice or SIGTERM, drain the node, so training moves in time.

    Runs in the foreground, a line per event, and ends with status 0 after SIGTERM, when nothing runs on the node any
    more. Without EC2 metadata it waits for SIGTERM alone. In a container, EC2 answers only if the instance's
    metadata hop limit is 2 or more.

    \b
    Examples:
      ganflow watch --address 10.0.0.1:6379
      ganflow watch --grace 100 --rebalance drain
    """
    from ganflow.cluster.preemption.agent import Watch
    from ganflow.cluster.preemption.agent import watch as run
    from ganflow.terminal.messages import LineHandler, handled, with_time

    with handled(LineHandler(typer.echo, with_time())):
        run(Watch(address, node_ip, endpoint, interval, grace, rebalance))
