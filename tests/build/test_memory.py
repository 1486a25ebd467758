"""How a build keeps below a limit of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from meta_spliceai.build.memory import ROWS_AT_ONCE, MemoryPlan, parsed_size, plan_memory, rows_per_block
from meta_spliceai.build.run import build
from meta_spliceai.errors import InputError
from meta_spliceai.schema.tables import dataset_table
from tests.build.conftest import Passed
from tests.build.kill_driver import contents


def planned(
    limit: int | None, *, kmers: tuple[int, ...] = (3,), rows: int = 500_000, workers: int = 2, gene: int = 0
) -> MemoryPlan:
    return plan_memory(
        limit, table=dataset_table(kmers), kmer_sizes=kmers, batch_rows=rows, workers=workers, rows_of_largest_gene=gene
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2G", 2 << 30),
        ("1.5 GB", 3 << 29),
        ("800MiB", 800 << 20),
        ("1000", 1000),
        ("64k", 64 << 10),
        (" .5t ", 1 << 39),
    ],
)
def test_sizes_are_read_in_their_units(text: str, size: int) -> None:
    assert parsed_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-2G", "2X", "0", "G", "1e9"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="a size such as 2G"):
        parsed_size(text)


@pytest.mark.rows("B2")
def test_without_a_limit_nothing_is_lowered_but_rows_that_gain_nothing() -> None:
    assert planned(None).workers == 2
    assert planned(None).rows == ROWS_AT_ONCE
    assert planned(None, rows=700).rows == 700


@pytest.mark.rows("B2")
def test_a_limit_lowers_rows_first_and_workers_then_and_is_kept_throughout() -> None:
    without = planned(None)
    seen = [(without.workers, without.rows)]
    for limit in range(without.bytes, 0, -(20 << 20)):
        try:
            plan = planned(limit)
        except InputError as error:
            assert "--memory-limit of at least" in str(error)
            break
        assert plan.bytes <= limit
        seen.append((plan.workers, plan.rows))
    assert [workers for workers, _ in seen] == sorted((workers for workers, _ in seen), reverse=True)
    assert {(2, ROWS_AT_ONCE), (2, ROWS_AT_ONCE // 2), (1, ROWS_AT_ONCE)} <= set(seen)


def test_a_gene_is_never_cut_so_the_largest_one_counts() -> None:
    assert planned(None, gene=1_000_000).bytes - planned(None).bytes > 1_000_000_000
    with pytest.raises(InputError, match="at least"):
        planned(1 << 30, gene=1_000_000)


def test_long_kmers_are_counted_in_smaller_blocks() -> None:
    assert rows_per_block(100_000, (3,)) == 100_000
    assert rows_per_block(100_000, (6,)) == 16_384
    assert rows_per_block(100_000, ()) == 100_000
    assert planned(None, kmers=(6,)).bytes > planned(None).bytes


def test_the_default_settings_need_less_than_two_gigabytes_even_with_6mers() -> None:
    assert planned(None, kmers=(6,), workers=1).bytes < 2 << 30


@pytest.mark.rows("B2")
def test_a_limit_changes_no_byte(passed: Passed, tmp_path: Path) -> None:
    for name, options in (("free", {}), ("bound", {"memory_limit": "600M", "batch_rows": 7}), ("two", {"workers": 2})):
        build(reference=passed.reference, output_dir=tmp_path / name, kmer_sizes=(2,), batch_size=4, **options)  # type: ignore[arg-type]
    assert contents(tmp_path / "free") == contents(tmp_path / "bound") == contents(tmp_path / "two")


def test_a_limit_that_cannot_be_kept_is_refused_before_anything_is_written(passed: Passed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--memory-limit of at least"):
        build(reference=passed.reference, output_dir=tmp_path / "out", memory_limit="100M")
    assert not (tmp_path / "out").exists()
