"""What every base model must do. A test module makes a subclass with a fixture `model`.

The codes are short, so that a model with a wide context answers quickly; each call costs little but its context.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from meta_spliceai.basemodel.protocol import SPREAD, BaseModel, BaseModelInfo, Scores
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import UNKNOWN, Codes, reverse_complement
from meta_spliceai.schema.features import SITE, USAGE

LENGTH = 300
TILING_TOLERANCE = 1e-6


def channels(scores: Scores) -> np.ndarray:
    return np.stack(list(scores.by_channel.values()))


class BaseModelProtocol:
    """Inherit and define `model`, scoped to the class."""

    @pytest.fixture(scope="class")
    @classmethod
    def codes(cls, model: BaseModel) -> Codes:
        letters = np.random.default_rng(7).integers(0, 4, LENGTH + model.info.context, dtype=np.uint8)
        letters[model.info.context // 2 + 40 :][:5] = UNKNOWN
        return letters

    @pytest.fixture(scope="class")
    @classmethod
    def scores(cls, model: BaseModel, codes: Codes) -> Scores:
        return model.score(codes)

    def test_says_what_it_is(self, model: BaseModel) -> None:
        info = model.info
        assert isinstance(model, BaseModel)
        assert isinstance(info, BaseModelInfo)
        assert re.fullmatch(r"[a-z0-9_]+", info.name)
        assert info.context > 0
        assert info.context % 2 == 0
        assert info.training_build
        assert info.licence
        assert not [chrom for chrom in info.training_chromosomes if chrom.startswith("chr")]
        assert re.fullmatch(r"[0-9a-f]{64}", info.weights_fingerprint)

    def test_gives_its_channels_and_the_spread(self, model: BaseModel, scores: Scores) -> None:
        assert scores.channels == (*model.info.channels, SPREAD)
        if not model.info.is_typed:
            kinds = {channel.split("_")[0] + "_" for channel in model.info.channels}
            assert SITE in kinds
            assert kinds <= {SITE, USAGE}

    def test_gives_a_probability_per_inner_base(self, model: BaseModel, scores: Scores) -> None:
        for values in scores.by_channel.values():
            assert values.dtype == np.float32
            assert values.shape == (LENGTH,)
            assert ((values >= 0) & (values <= 1)).all()
        if model.info.is_typed:
            assert (scores.donor + scores.acceptor <= 1 + 1e-6).all()

    def test_same_codes_same_scores_and_codes_untouched(self, model: BaseModel, codes: Codes, scores: Scores) -> None:
        given = codes.copy()
        np.testing.assert_array_equal(channels(model.score(given)), channels(scores))
        np.testing.assert_array_equal(given, codes)

    @pytest.mark.parametrize("cut", [1, 117])
    def test_tiles_agree_with_the_whole(self, model: BaseModel, codes: Codes, scores: Scores, cut: int) -> None:
        tiles = [model.score(codes[: cut + model.info.context]), model.score(codes[cut:])]
        joined = np.concatenate([channels(tile) for tile in tiles], axis=1)
        np.testing.assert_allclose(joined, channels(scores), rtol=0, atol=TILING_TOLERANCE)

    def test_a_base_beyond_the_context_changes_nothing(self, model: BaseModel, codes: Codes, scores: Scores) -> None:
        changed = codes.copy()
        changed[-1] = (changed[-1] + 1) % 4
        np.testing.assert_allclose(
            channels(model.score(changed))[:, :-1], channels(scores)[:, :-1], rtol=0, atol=TILING_TOLERANCE
        )

    def test_strands_have_scores_of_their_own(self, model: BaseModel, codes: Codes, scores: Scores) -> None:
        other = channels(model.score(reverse_complement(codes)))[:, ::-1]
        assert not np.allclose(other, channels(scores), rtol=1e-3, atol=0)

    def test_unknown_bases_alone_score_alike_wherever_they_lie(self, model: BaseModel) -> None:
        unknown = channels(model.score(np.full(20 + model.info.context, UNKNOWN, dtype=np.uint8)))
        assert np.isfinite(unknown).all()
        np.testing.assert_allclose(unknown, np.repeat(unknown[:, :1], 20, axis=1), rtol=0, atol=TILING_TOLERANCE)

    def test_other_codes_are_refused(self, model: BaseModel, codes: Codes) -> None:
        too_large = codes.copy()
        too_large[0] = 5
        for wrong, found in (
            (codes.astype(np.int64), "found: int64 of shape"),
            (codes[None], r"found: uint8 of shape \(1, "),
            (codes[: model.info.context], f"found: {model.info.context} codes"),
            (too_large, "found: code 5"),
        ):
            with pytest.raises(ModelError, match=found):
                model.score(wrong)
