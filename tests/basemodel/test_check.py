from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from meta_spliceai.basemodel import check, registry
from meta_spliceai.basemodel.check import KnownAnswer, check_model, read_known_answer
from meta_spliceai.basemodel.options import EngineOptions, Precision
from meta_spliceai.basemodel.protocol import Scores
from meta_spliceai.cli.app import main
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import encode
from tests.toys.toy_base_model import ToyBaseModel

SEQUENCE = "ACGTTGCAAG" * 30 + "GTAAGT" + "CCTTTTCCAG" * 20
ANSWER = KnownAnswer(
    "somebody else's code", "0" * 64, SEQUENCE, dict(ToyBaseModel().score(encode(SEQUENCE)).by_channel)
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MEASURED_SECONDS", 0.0)
    monkeypatch.setattr(check, "_PIECES", (100, 200))
    monkeypatch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())


def with_answer(monkeypatch: pytest.MonkeyPatch, answer: KnownAnswer | None) -> None:
    monkeypatch.setattr(check, "read_known_answer", lambda _: answer)


def moved(channel: str, by: float) -> KnownAnswer:
    values = ANSWER.channels[channel].copy()
    values[7] += by
    return replace(ANSWER, channels={**ANSWER.channels, channel: values})


def test_the_right_scores_pass_and_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with_answer(monkeypatch, moved("donor", 5e-6))
    done = check_model("toy", threads=1)
    assert done.difference == pytest.approx(5e-6, rel=0.1)
    assert done.values == 3 * (len(SEQUENCE) - 20)
    assert done.positions_per_second > 0
    text = done.summary()
    assert "toy, cpu, exact" in text
    assert "right: 1,458 scores differ by at most 5.0e-06 (allowed: 1e-05)" in text
    assert "somebody else's code" in text
    assert "positions per second" in text


@pytest.mark.parametrize(("channel", "by"), [("donor", 2e-5), ("spread", -0.5), ("acceptor", float("nan"))])
def test_a_wrong_score_fails_with_the_channel_the_difference_and_the_device(
    monkeypatch: pytest.MonkeyPatch, channel: str, by: float
) -> None:
    with_answer(monkeypatch, moved(channel, by))
    with pytest.raises(ModelError, match=rf"{channel} differs by .* \(cpu, exact\)\nwhat to do: do not use"):
        check_model("toy")


def test_scores_that_are_no_numbers_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ToyBaseModel):
        def score(self, codes: np.ndarray) -> Scores:
            return Scores({name: values * np.nan for name, values in super().score(codes).by_channel.items()})

    monkeypatch.setitem(registry._SHIPPED, "toy", lambda **_: Broken())
    with_answer(monkeypatch, ANSWER)
    with pytest.raises(ModelError, match="differs by inf"):
        check_model("toy")


@pytest.mark.parametrize("channels", [{"site_heart": np.zeros(3, np.float32)}, {"donor": np.zeros(3, np.float32)}])
def test_a_channel_that_is_missing_or_of_another_length_fails(
    monkeypatch: pytest.MonkeyPatch, channels: dict[str, np.ndarray]
) -> None:
    with_answer(monkeypatch, replace(ANSWER, channels=channels))
    with pytest.raises(ModelError, match="differs by inf"):
        check_model("toy")


@pytest.mark.parametrize(("precision", "passes"), [("exact", False), ("fast", True)])
def test_fast_arithmetic_may_differ_more(monkeypatch: pytest.MonkeyPatch, precision: Precision, passes: bool) -> None:
    with_answer(monkeypatch, moved("donor", 1e-2))
    if passes:
        assert check_model("toy", precision=precision).tolerance == 0.03
    else:
        with pytest.raises(ModelError):
            check_model("toy", precision=precision)


@pytest.mark.parametrize("answer", [None, replace(ANSWER, weights_fingerprint="1" * 64)])
def test_weights_without_a_known_answer_say_so(monkeypatch: pytest.MonkeyPatch, answer: KnownAnswer | None) -> None:
    with_answer(monkeypatch, answer)
    done = check_model("toy")
    assert (done.difference, done.made_by, done.values) == (None, None, 0)
    assert "not known: no answer is stored for these weights (000000000000…)" in done.summary()
    assert done.positions_per_second > 0


def test_the_options_reach_the_base_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    monkeypatch.setattr(check, "load_base_model", lambda *args, **kwargs: seen.append((args, kwargs)) or ToyBaseModel())
    with_answer(monkeypatch, ANSWER)
    check_model("toy", weights=tmp_path, device="cuda", precision="fast", threads=3)
    options = EngineOptions(threads=3, device="cuda", precision="fast")
    assert seen == [(("toy",), {"weights": tmp_path, "options": options})]


def test_a_failed_check_ends_the_command_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_answer(monkeypatch, ANSWER)
    with pytest.raises(SystemExit) as ended:
        main(["basemodel", "check", "toy"])
    assert ended.value.code == 0
    assert "right: " in capsys.readouterr().out
    with_answer(monkeypatch, moved("donor", 0.5))
    with pytest.raises(SystemExit) as ended:
        main(["basemodel", "check", "toy"])
    assert ended.value.code == 1
    assert "donor differs by 5.0e-01" in capsys.readouterr().err


def test_stored_answers_are_whole_and_small() -> None:
    folder = Path(check.__file__).parent / "known_answers"
    names = [file.name.removesuffix(".json.gz") for file in folder.iterdir()]
    assert "spliceai" in names
    for name in names:
        answer = read_known_answer(name)
        assert answer is not None
        assert "spread" in answer.channels
        assert len({values.size for values in answer.channels.values()}) == 1
        assert all(((values >= 0) & (values <= 1)).all() for values in answer.channels.values())
        assert (folder / f"{name}.json.gz").stat().st_size < 60_000
    assert read_known_answer("nobody") is None


def test_spliceai_gives_the_known_answer(spliceai_files: list[Path]) -> None:
    done = check_model("spliceai", threads=2)
    assert done.difference is not None
    assert done.difference < 2e-6
    assert "Keras" in done.summary()
