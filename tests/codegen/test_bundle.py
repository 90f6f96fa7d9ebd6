"""Bundles: what may be added, what may be overwritten, and what verify sees."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from hotnas_hls.codegen.bundle import Bundle, verify
from hotnas_hls.errors import OutputRefused


def bundle(text: str = "int main() {}\n") -> Bundle:
    made = Bundle("tiny", "d1")
    made.add("src/top.cpp", text)
    made.add("weights/image.bin", b"\x00\x01")
    made.add("scripts/run.sh", "#!/bin/sh\n", executable=True)
    return made


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "a//b", "./a", "", ".", "a\\b"])
def test_paths_stay_inside(path: str):
    with pytest.raises(ValueError, match="plain, relative and stay inside"):
        Bundle("x").add(path, "")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("src/top.cpp", "'src/top.cpp': is in the bundle already"),
        ("src", "'src': is a folder of the bundle"),
        ("src/top.cpp/x", "'src/top.cpp/x': 'src/top.cpp' is a file of the bundle"),
        ("manifest.json", "'manifest.json': the bundle writes its own manifest"),
    ],
)
def test_paths_are_taken_once(path: str, message: str):
    with pytest.raises(ValueError) as caught:
        bundle().add(path, "")
    assert str(caught.value) == message


def test_digest_is_of_paths_and_contents():
    assert bundle().digest() == bundle().digest()
    assert bundle().digest() != bundle("int main() { return 1; }\n").digest()
    one, two = Bundle("x"), Bundle("x")
    one.add("a", "b")
    two.add("ab", "")
    assert one.digest() != two.digest()


def test_write_and_verify(tmp_path: Path):
    root = bundle().write(tmp_path / "deep" / "out")
    assert sorted(contents(root)) == ["manifest.json", "scripts/run.sh", "src/top.cpp", "weights/image.bin"]
    assert verify(root) == []
    assert os.access(root / "scripts/run.sh", os.X_OK)
    assert not os.access(root / "src/top.cpp", os.X_OK)
    manifest = json.loads((root / "manifest.json").read_text())
    assert manifest["design_digest"] == "d1"
    assert manifest["bundle_digest"] == bundle().digest()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_writing_twice_gives_the_same_bytes_and_drops_old_files(tmp_path: Path):
    first = bundle()
    first.add("old.txt", "old")
    first.write(tmp_path / "out")
    before = contents(bundle().write(tmp_path / "out"))
    assert contents(bundle().write(tmp_path / "out")) == before
    assert "old.txt" not in before


def test_verify_says_what_was_changed(tmp_path: Path):
    root = bundle().write(tmp_path / "out")
    (root / "src/top.cpp").write_text("hacked")
    (root / "weights/image.bin").unlink()
    (root / "notes.txt").write_text("mine")
    assert verify(root) == ["src/top.cpp: changed", "weights/image.bin: missing", "notes.txt: added"]


def test_verify_sees_an_edited_manifest(tmp_path: Path):
    root = bundle().write(tmp_path / "out")
    manifest = json.loads((root / "manifest.json").read_text())
    del manifest["files"]["src/top.cpp"]
    (root / "manifest.json").write_text(json.dumps(manifest))
    assert verify(root) == [
        "manifest.json: changed (its list of files does not give its bundle_digest)",
        "src/top.cpp: added",
    ]


def test_verify_without_a_manifest(tmp_path: Path):
    assert verify(tmp_path) == ["manifest.json: missing or not one of hotnas"]


def test_a_foreign_folder_is_not_overwritten(tmp_path: Path):
    root = tmp_path / "thesis"
    root.mkdir()
    (root / "manifest.json").write_text('{"name": "my web app"}')
    with pytest.raises(OutputRefused) as caught:
        bundle().write(root)
    assert str(caught.value) == (
        f"{root}: is not ours to overwrite (it has no manifest.json of hotnas); "
        "choose another folder or empty this one"
    )
    assert list(contents(root)) == ["manifest.json"]


def test_a_file_or_a_link_is_not_overwritten(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OutputRefused) as caught:
        bundle().write(tmp_path / "file")
    assert str(caught.value) == f"{tmp_path / 'file'}: is a file; choose another folder"
    with pytest.raises(OutputRefused) as caught:
        bundle().write(tmp_path / "link")
    assert str(caught.value) == (
        f"{tmp_path / 'link'}: is a link; give the folder it points to, or another one"
    )


def test_an_empty_folder_is_free(tmp_path: Path):
    (tmp_path / "out").mkdir()
    assert verify(bundle().write(tmp_path / "out")) == []


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputRefused),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_the_earlier_result_survives(tmp_path: Path, monkeypatch, failure, raised, step: str):
    root = bundle("first\n").write(tmp_path / "out")
    before = contents(root)
    real, calls = getattr(os, step), []

    def fails_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise failure
        return real(*arguments)

    monkeypatch.setattr(f"hotnas_hls.codegen.bundle.os.{step}", fails_second)
    with pytest.raises(raised) as caught:
        bundle("second\n").write(root)
    if raised is OutputRefused:
        assert str(caught.value) == (
            f"{root}: cannot be written: No space left on device; free space or choose another folder "
            "(what was there before is untouched)"
        )
    assert contents(root) == before
    assert verify(root) == []
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
