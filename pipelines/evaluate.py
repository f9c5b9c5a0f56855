"""Stage ``evaluate``: measure the averaged generator; writes ``reports/metrics.json``."""

import json
from pathlib import Path

from ganflow import config
from ganflow.cluster.evaluate import EvaluatePaths, evaluate
from ganflow.errors import entry_point
from ganflow.files import write_whole
from ganflow.generator import FILE

DATA, MODEL, REPORTS = Path("data"), Path("model"), Path("reports")
SHOWN = ("fid", "kid", "coverage", "modes", "high_quality", "reverse_kl")


@entry_point
def main() -> None:
    """Figures with their protocol beside them: samples, reference split, extractor."""
    params = config.load()
    extractors = Path(params.cluster.storage).absolute() / "extractors"
    paths = EvaluatePaths((MODEL / FILE).absolute(), DATA.absolute(), extractors)
    measured = evaluate(params, f"{params.register.name}-evaluate", paths)
    figures = measured.values
    rows = [f"{c.name},{c.generated:.4f},{c.reference:.4f}" for c in measured.classes]
    write_whole(REPORTS / "classes.csv", "\n".join(["class,generated,reference", *rows]) + "\n")
    write_whole(REPORTS / "metrics.json", json.dumps(figures, indent=2) + "\n")
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if name in SHOWN)
    print(
        f"evaluate: {shown} over {figures['samples']} samples against {figures['reference']}, by {figures['extractor']}"
    )


if __name__ == "__main__":
    main()
