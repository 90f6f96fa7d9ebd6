"""Axes, candidates, spaces."""

import numpy as np
import pytest

from hotnas_hls.platforms.space import Axis, AxisKind, Candidate, SearchSpace

SPACE = SearchSpace(
    (
        Axis("bits:a", AxisKind.BITS, (16, 8, 4), "a"),
        Axis("prune:b", AxisKind.PRUNE, (0, 3), "b", 3),
        Axis("channels:c", AxisKind.CHANNELS, (8, 4), "c"),
        Axis("tm", AxisKind.HARDWARE, (16, 32)),
    )
)


def test_size_and_contents():
    assert SPACE.size == 24
    assert Candidate({"bits:a": 8, "prune:b": 3, "channels:c": 4, "tm": 16}) in SPACE
    assert Candidate({"bits:a": 9, "prune:b": 3, "channels:c": 4, "tm": 16}) not in SPACE
    assert Candidate({"bits:a": 8}) not in SPACE
    assert [axis.name for axis in SPACE.of_kind(AxisKind.BITS, AxisKind.HARDWARE)] == ["bits:a", "tm"]


def test_samples_are_candidates_and_seeded():
    drawn = [SPACE.sample(np.random.default_rng(seed)) for seed in range(50)]
    assert all(candidate in SPACE for candidate in drawn)
    assert len(set(drawn)) > 10
    assert drawn == [SPACE.sample(np.random.default_rng(seed)) for seed in range(50)]


def test_round_trips():
    candidate = SPACE.candidate([2, 1, 0, 1])
    assert Candidate.from_json(candidate.to_json()) == candidate
    assert hash(Candidate.from_json(candidate.to_json())) == hash(candidate)
    assert candidate.to_json() == '{"bits:a": 4, "channels:c": 8, "prune:b": 3, "tm": 32}'


def test_what_is_no_space_is_refused():
    with pytest.raises(ValueError, match="^axis a: no options$"):
        Axis("a", AxisKind.BITS, ())
    with pytest.raises(ValueError, match="^axis a: an option is given twice"):
        Axis("a", AxisKind.BITS, (1, 1))
    with pytest.raises(ValueError, match=r"^two axes are called \['a'\]$"):
        SearchSpace((Axis("a", AxisKind.BITS, (1,)), Axis("a", AxisKind.BITS, (2,))))
