"""Progress is silent in a library and plain lines in a log."""

from __future__ import annotations

import pytest

from meta_spliceai.workers.progress import current_tracker, show_progress, track


def test_nothing_is_shown_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with track("building", 3, "genes") as progress:
        progress.advance(3)
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_one_closing_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(), track("building", 2000, "genes") as progress:
        progress.advance(1500)
        current_tracker().advance(500)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("building: 2,000 genes in ")
    assert err.count("\n") == 1


def test_the_current_tracker_ends_with_its_work() -> None:
    outside = current_tracker()
    with track("building", 1, "genes") as progress:
        assert current_tracker() is progress
    assert current_tracker() is outside
