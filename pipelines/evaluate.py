"""Stage ``evaluate``: measure the averaged generator; writes ``reports/metrics.json`` and ``reports/report.html``.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys
from pathlib import Path

from ganflow.terminal.console import entry_point
from ganflow.terminal.progress import doing

DATA, MODEL, REPORTS = Path("data"), Path("model"), Path("reports")
SHOWN = (
    "fid", "kid", "coverage", "modes", "high_quality", "reverse_kl", "memorisation_p", "psnr", "psnr_simple",
    "masked_psnr", "masked_psnr_simple", "auroc", "auroc_pca", "auroc_nearest", "pixel_auroc",
)  # fmt: skip


@entry_point
@doing("evaluate: working")
def main() -> None:
    """Figures with their intervals and protocol: samples, reference split, extractor; and what people look at."""
    from ganflow.cluster.session import fork_server
    from ganflow.config import params_file

    params = params_file.load()
    fork_server.start(params.cluster.address)  # it loads while this process does

    from ganflow.cluster.jobs.ray_evaluate import evaluate
    from ganflow.cluster.workers.staging import supply
    from ganflow.methods.generator import FILE
    from ganflow.report import report_files
    from ganflow.terminal.interrupts import held
    from ganflow.tracking.runs import run_record

    supplied = supply(params.cluster, DATA)
    result = evaluate(params, f"{params.register.name}-evaluate", MODEL / FILE, supplied)
    record = run_record.RunRecord.read(MODEL / run_record.FILE)
    with held():
        report_files.write(result, REPORTS, params.register.name, run_record.summary(record))
    shown = ", ".join(f"{name} {figure.value:.4g}" for name, figure in result.figures.items() if name in SHOWN)
    p = result.protocol
    for note in result.notes:
        print(f"evaluate: {note}")
    print(f"evaluate: {shown} over {p.samples} samples against {p.reference}, by {p.extractor}")
    print(f"evaluate: {REPORTS / 'report.html'} shows it all")


if __name__ == "__main__":
    main(*sys.argv[1:])
