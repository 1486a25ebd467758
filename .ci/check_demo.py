"""Does the demo's folder hold what the demo promises? Exit status 1 and the reason where it does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ARMS = {"base", "recalibrated", "base_scores", "meta", "gene_conditioned"}


def problems(demo: Path) -> list[str]:
    """What is missing or wrong, as sentences."""
    found = []
    page = demo / "report.html"
    if not page.is_file() or page.stat().st_size < 50_000 or "<svg" not in page.read_text():
        found.append(f"{page} is not a report with pictures")
    metrics_file = demo / "model_run" / "evaluation" / "metrics.json"
    metrics = json.loads(metrics_file.read_text())
    missing = ARMS - {arm["name"] for arm in metrics["arms"]}
    if missing:
        found.append(f"{metrics_file} lacks the arms {sorted(missing)}")
    if not list((demo / "dataset" / "master").glob("batch_*.parquet")):
        found.append("the dataset's master/ is empty")
    return found


if __name__ == "__main__":
    found = problems(Path(sys.argv[1]))
    sys.stderr.write("".join(f"{sentence}\n" for sentence in found))
    sys.exit(1 if found else 0)
