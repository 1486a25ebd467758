"""The guide to training works as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.train.memory import needed_from_disk, rows_of_batch
from tests.train.conftest import Inputs

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "train-a-model.md"


@pytest.mark.rows("R24")
def test_the_lines_of_python_in_the_guide_run_as_printed(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    assert printed
    for name in ("train_chr3", "train_all"):
        (tmp_path / name).symlink_to(inputs.dataset)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(printed[1], names)
    assert getattr(names["probabilities"], "columns", None) == ["donor", "acceptor"]
    assert (tmp_path / "trial" / "delta_vs_baseline.csv").is_file()


@pytest.mark.rows("R24")
def test_the_guide_shows_each_step_and_links_to_pages_that_exist() -> None:
    text = GUIDE.read_text()
    for command in ("train", "evaluate", "report", "predict", "split plan"):
        assert f"$ meta-spliceai {command} " in text
    links = re.findall(r"\]\(([^)]+\.md)\)", text)
    assert len(links) >= 4
    assert all((GUIDE.parent / link).is_file() for link in links)


@pytest.mark.rows("R25")
def test_the_estimate_is_near_the_peak_that_the_guide_tells_and_says_what_limit_can_be_kept() -> None:
    text = GUIDE.read_text()
    measured = re.search(r"\| from disk, 20\.7 million rows.*?\| ([\d,]+) MB \|", text)
    assert measured is not None
    assert "bench/incremental.py" in text
    estimated = needed_from_disk(20_673_561, 155, "xgboost", 23_543) / 2**20
    assert 1 <= estimated / int(measured[1].replace(",", "")) < 1.2
    with pytest.raises(InputError, match=r"a --memory-limit of at least 1,5.. MB for 20,673,561 rows"):
        rows_of_batch("1GB", 200_000, 20_673_561, 155, "xgboost")
    assert rows_of_batch("1GB", 200_000, 6_000_000, 155, "xgboost") > 10_000
