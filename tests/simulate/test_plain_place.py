"""Builds in folders whose names make cannot read, and builds that do not end well."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotnas_hls.errors import SimulationFailed
from hotnas_hls.simulate.plain_place import plain_place

STRANGE = ("My Projects", "it's", "$HOME", "a#1", "(old)", "R&D", "x:y", "Größe")


@pytest.mark.parametrize("name", ["plain", *STRANGE])
def test_a_build_lies_where_make_can_read_its_path(tmp_path: Path, name: str):
    folder = tmp_path / name
    with plain_place(folder, ("obj",)) as place:
        assert place.is_relative_to(folder) == (name == "plain")
        for kept in ("obj", "left"):
            (place / kept).mkdir()
            (place / kept / "x").write_text(kept)
    assert [path.name for path in folder.iterdir()] == ["obj"]
    assert (folder / "obj" / "x").read_text() == "obj"
    assert not place.exists()


def test_a_build_that_fails_leaves_the_earlier_one(tmp_path: Path):
    (tmp_path / "obj").mkdir()
    (tmp_path / "obj" / "x").write_text("earlier")
    with pytest.raises(KeyboardInterrupt), plain_place(tmp_path, ("obj",)) as place:
        (place / "obj").mkdir()
        raise KeyboardInterrupt
    assert (tmp_path / "obj" / "x").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["obj"]


def test_no_plain_place_at_all(tmp_path: Path, monkeypatch):
    strange = tmp_path / "a b"
    strange.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(strange))
    with pytest.raises(SimulationFailed) as caught, plain_place(tmp_path / "$x", ("obj",)):
        pass
    said = str(caught.value)
    assert said.startswith(f"{strange}/hotnas_build.")
    assert said.endswith(": make cannot read a path with ' '; TMPDIR must be a folder of plain letters")
