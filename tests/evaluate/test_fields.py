"""metrics.json and the page that describes it say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.evaluate.fields import FIELDS, SCHEMA_VERSION, as_markdown, paths_of
from meta_spliceai.evaluate.run import evaluate
from tests.evaluate import toys
from tests.evaluate.test_junctions import star_file

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[tuple[str, object]]:
    """Every path and value of an evaluation with everything in it."""
    folder = tmp_path_factory.mktemp("fields")
    table = toys.frame()
    sites = table.filter(pl.col("is_donor") | pl.col("is_acceptor")).with_row_index("n")
    used = (pl.col("n") % 2).cast(pl.Float64)
    psi = sites.select("chrom", "strand", start="position", end="position", psi_mean=used)
    psi.write_csv(folder / "psi.tsv", separator="\t")
    junctions = star_file(folder / "SJ.out.tab", table)
    predictions = toys.write(folder / "p", table, build="toy", feature_profile="de_novo", row_cap=5)
    described = json.loads((predictions / "predictions.json").read_text())
    counts = {
        field.path.split(".")[1]: 0 for field in FIELDS if field.path.startswith("table.") and field.kind == "integer"
    }
    words = {"file": "t", "sha256": "0", "missing": "refuse", "training_known": True, "warnings": ["w"]}
    sites_without = {"sites_without_score": {"donor": 0, "acceptor": 0}}
    described["calibration"] = {"choice": "auto", "kinds": {"meta": {"donor": {"0": "platt"}}}}
    described["table"] = {**counts, **words, **sites_without}
    (predictions / "predictions.json").write_text(json.dumps(described))
    evaluate(predictions=predictions, out_dir=folder / "e", psi=folder / "psi.tsv", junctions=[junctions], draws=20)
    return list(paths_of(json.loads((folder / "e" / "metrics.json").read_text())))


def test_every_value_is_a_described_field_of_its_type(found) -> None:
    for path, value in found:
        fields = [field for field in FIELDS if field.pattern.fullmatch(path)]
        assert len(fields) == 1, path
        field = fields[0]
        if value is None:
            assert field.nullable or field.kind == "any", path
        else:
            assert isinstance(value, field.types), path
            assert not isinstance(value, bool) or field.kind in ("boolean", "any"), path


def test_every_described_field_is_there(found) -> None:
    absent = [field.path for field in FIELDS if not any(field.pattern.fullmatch(path) for path, _ in found)]
    assert absent == []


def test_fields_that_are_always_there_are_in_the_barest_result(tmp_path) -> None:
    table = toys.frame(groups=6, bases_per_group=200)
    arms = [toys.ARMS[0]]
    evaluate(
        predictions=toys.write(tmp_path / "p", table, arms=arms, skipped_arms=[]), out_dir=tmp_path / "e", draws=10
    )
    bare = [path for path, _ in paths_of(json.loads((tmp_path / "e" / "metrics.json").read_text()))]
    absent = [one.path for one in FIELDS if one.always and not any(one.pattern.fullmatch(path) for path in bare)]
    assert absent == []


def test_the_page_has_the_fields_and_the_version() -> None:
    text = PAGE.read_text()
    rows = re.findall(r"^\| `.*$", text.partition("## metrics.json")[2], flags=re.M)
    assert "\n".join(rows) == "\n".join(line for line in as_markdown().splitlines() if line.startswith("| `"))
    assert f"`schema_version` {SCHEMA_VERSION}" in text
