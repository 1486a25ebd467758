"""Runs of genes and changes of values agree with a slow look at row after row."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from meta_spliceai.maintain.runs import GeneRuns, changes


@pytest.mark.parametrize("seed", range(20))
def test_runs_changes_and_spans_agree_with_a_loop_over_rows(seed: int) -> None:
    draw = np.random.default_rng(seed)
    n = int(draw.integers(0, 30))
    rows = pl.DataFrame(
        {
            "gene_id": [draw.choice(["a", "b", None]) for _ in range(n)],
            "value": [draw.choice([1.0, 2.0, None, float("nan")]) for _ in range(n)],
            "position": [None if seed % 2 and draw.random() < 0.2 else int(x) for x in draw.integers(1, 9, n)],
        },
        schema={"gene_id": pl.String, "value": pl.Float32, "position": pl.Int64},
    )
    runs: list[list[int]] = []
    changed = []
    for number, (gene, value, _) in enumerate(rows.iter_rows()):
        before = rows.row(number - 1) if number else None
        if before is None or gene != before[0]:
            runs.append([])
        runs[-1].append(number)
        changed.append(before is None or repr((gene, value)) != repr(before[:2]))
    found = GeneRuns.of(rows["gene_id"])
    assert found.starts.tolist() == [run[0] for run in runs]
    assert found.rows.tolist() == [len(run) for run in runs]
    assert found.genes.to_list() == [rows["gene_id"][run[0]] for run in runs]
    assert changes([rows["gene_id"], rows["value"]]).tolist() == changed
    held = [[x for number in run if (x := rows["position"][number]) is not None] for run in runs]
    spans = found.spans(rows["position"])
    assert spans["lowest"].to_list() == [min(some, default=None) for some in held]
    assert spans["highest"].to_list() == [max(some, default=None) for some in held]
