"""Write the pages of docs/reference that are generated from the code; with --check only say whether they are current."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

from meta_spliceai.cli.app import command_pages
from meta_spliceai.evaluate import tables as evaluation_tables
from meta_spliceai.predict import run as prediction
from meta_spliceai.schema import tables
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.describe import as_markdown
from meta_spliceai.train import split

FOLDER = Path(__file__).parent / "reference"

SCHEMA_HEAD = """# Schema

Generated from `meta_spliceai.schema` by `make docs`. Each table's schema also travels in the metadata of its Parquet files
(key `meta_spliceai.schema`) and, for a dataset, in `schema.json`.

A *role* says what a column may be used for, an *origin* where its information comes from. A training profile admits features
by origin: `base_only` admits base_score; `de_novo` sequence, base_score and external; `gene_conditioned` also gene;
`annotated` also annotation. Columns of origin label are never features.

k-mer columns are described once, for k = 1; a dataset has all 4^k columns of each requested k.
"""


def schema_page() -> str:
    """All tables, in the order of the work."""
    modules = (tables, split, evaluation_tables, prediction)
    # a module may import tables of an earlier one; each is shown where it is met first
    declared = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, Table)}
    shown = [*declared.values(), tables.dataset_table((1,))]
    return "\n".join([SCHEMA_HEAD, *(as_markdown(table) for table in shown)])


MATRIX_HEAD = """# Feature matrix

Generated from the tests by `make docs`: each promise, and the tests that prove it, by their names (`test_W4_…`) or their mark
(`@pytest.mark.rows("W4")`). The promises are in `docs/feature_rows.tsv`.

| row | promise | tests |
|---|---|---|
"""


def matrix_page() -> str:
    """Every promise with its tests."""
    tests = proofs(Path(__file__).parents[1] / "tests")
    lines = (Path(__file__).parent / "feature_rows.tsv").read_text().splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return MATRIX_HEAD + "".join(f"| {row} | {promise} | {'<br>'.join(tests[row])} |\n" for row, promise in rows)


def proofs(folder: Path) -> dict[str, list[str]]:
    """Tests by the row they prove, as `file::name`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for row in sorted({*_named_rows(node.name), *_marked_rows(node)}):
                    found[row].append(f"`{path.relative_to(folder).as_posix()}::{node.name}`")
    return found


def _named_rows(name: str) -> list[str]:
    return [word for word in name.split("_")[1:] if re.fullmatch(r"[A-Z]\d+", word)]


def _marked_rows(node: ast.FunctionDef) -> list[str]:
    calls = (mark for mark in node.decorator_list if isinstance(mark, ast.Call))
    return [
        argument.value
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.rows"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def main() -> int:
    """Write or check every page; returns the exit status."""
    pages = {"schema.md": schema_page(), "commands.md": command_pages(), "feature-matrix.md": matrix_page()}
    stale = [
        name for name, text in pages.items() if not (FOLDER / name).exists() or (FOLDER / name).read_text() != text
    ]
    if "--check" in sys.argv[1:]:
        if stale:
            sys.stderr.write(f"docs/reference: {', '.join(stale)} not current; run `make docs`\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
