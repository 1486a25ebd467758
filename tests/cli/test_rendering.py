import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.cli.rendering import as_json, as_text


@dataclass(frozen=True)
class Result:
    out: Path
    rows: int
    table: pl.DataFrame


def test_text_is_one_line_per_plain_field():
    assert as_text(Result(Path("a/b"), 12_345, pl.DataFrame())) == "out   a/b\nrows  12,345"


def test_json_holds_small_tables_and_only_the_size_of_long_ones():
    small, long = pl.DataFrame({"x": [1, 2]}), pl.DataFrame({"x": range(2_000)})
    assert json.loads(as_json(Result(Path("a"), 1, small))) == {"out": "a", "rows": 1, "table": [{"x": 1}, {"x": 2}]}
    assert json.loads(as_json(Result(Path("a"), 1, long)))["table"] == {"rows": 2_000, "columns": ["x"]}
