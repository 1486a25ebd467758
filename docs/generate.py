"""Write the pages of docs/reference that are generated from the code; with --check only say whether they are current."""

from __future__ import annotations

import sys
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


def main() -> int:
    """Write or check every page; returns the exit status."""
    pages = {"schema.md": schema_page(), "commands.md": command_pages()}
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
