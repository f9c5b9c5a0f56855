"""A model as a service."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command("serve")
def serve(
    model: Annotated[str, typer.Argument(help="models:/NAME@ALIAS (followed), models:/NAME/3, runs:/RUN_ID, a file.")],
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 lets other machines ask.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    replicas: Annotated[int, typer.Option(min=1, help="Processes that draw, on any node of the cluster.")] = 1,
    max_n: Annotated[
        int | None, typer.Option(min=1, help="The most samples of one request; 64, fewer of large images.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until a request is given up with 503.")] = 30,
    waiting: Annotated[int, typer.Option(min=1, help="Requests at a time; more get 503 at once.")] = 256,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between looks at where the alias points.")] = 5,
) -> None:
    """Answer HTTP requests with samples: the same n, seed, label and truncation give the images of `ganflow generate`.

    GET or POST /generate; / says what is served, /health whether it is, /metrics has figures for Prometheus. Requests
    that come together are drawn together (Ray Serve). After a promotion the new champion answers, and no request is
    dropped.

    \b
    Examples:
      ganflow serve models:/ganflow-digits@champion --replicas 2
      curl -o grid.png 'http://127.0.0.1:8000/generate?n=16&seed=7&label=3'
      curl -o eight.npy -d '{"n": 8, "truncation": 0.7, "format": "npy"}' http://127.0.0.1:8000/generate
    """
    from ganflow.commands.serve import serve as answer
    from ganflow.serving.app import Limits

    answer(
        model, host=host, port=port, count=replicas, every_s=poll,
        limits=Limits(n=max_n, seconds=timeout, waiting=waiting),
    )  # fmt: skip
