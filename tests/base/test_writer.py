"""One writer a folder: the lock of another process, its end, and places that cannot be written."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from hotnas_hls.base.atomic import replace_files
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.errors import OutputRefused

HOLDS = """
import sys; from pathlib import Path; from hotnas_hls.base.writer import sole_writer
with sole_writer(Path(sys.argv[1]), "hotnas search"):
    print("held", flush=True); sys.stdin.read()
"""


def test_a_lock_that_cannot_be_made_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In /proc, whose parent folder says of a file that cannot be made what it says of one that is held."""

    def held(lock: filelock.FileLock) -> None:
        raise filelock.Timeout(lock.lock_file)

    monkeypatch.setattr(filelock.FileLock, "acquire", held)
    with pytest.raises(OutputRefused) as caught, sole_writer(tmp_path / "run", "hotnas search"):
        pass
    assert str(caught.value) == f"{tmp_path / 'run'}: cannot be written; name a folder that can be"


def test_another_process_is_named_and_its_lock_ends_with_it(tmp_path: Path):
    folder = tmp_path / "deep" / "run"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(OutputRefused) as caught, sole_writer(folder, "hotnas sim"):
        pass
    assert str(caught.value) == (
        f"{folder}: hotnas search (process {holder.pid} on {socket.gethostname()}) is at work there; "
        "wait until it ends, or name another folder"
    )
    with sole_writer(tmp_path / "deep" / "other", "hotnas sim"):
        pass
    holder.kill()
    holder.communicate()
    with sole_writer(folder, "hotnas sim"):
        assert not folder.exists()


def test_a_thread_may_take_its_lock_again(tmp_path: Path):
    with sole_writer(tmp_path / "p", "hotnas sim"):
        with sole_writer(tmp_path / "p", "a report"):
            pass
        assert (tmp_path / ".p.lock").read_text().startswith("hotnas sim (process ")


def test_what_a_killed_writer_left_halfway_is_removed(tmp_path: Path):
    folder = tmp_path / "p"
    replace_files(folder / "reports", {"certificate.json": b"{}"})
    (folder / "reports" / ".certificate.json.x7.part").write_text("half")
    (folder / ".manifest.json.y8.part").write_text("half")
    with sole_writer(folder, "hotnas package", reading=True):
        assert len(list(folder.rglob("*.part"))) == 2  # who reads changes nothing
    with sole_writer(folder, "hotnas sim"):
        assert [path.name for path in folder.rglob("*") if path.is_file()] == ["certificate.json"]


def test_a_place_that_cannot_be_written_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    folder = tmp_path / "p"
    folder.mkdir()
    with pytest.raises(OutputRefused) as caught, sole_writer(folder, "hotnas sim"):
        pass
    assert str(caught.value) == f"{folder}: cannot be written: Permission denied; name a folder that can be"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputRefused, match="cannot be written: "), sole_writer(tmp_path / "file" / "p", ""):
        pass


def test_a_read_only_disk_has_no_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who only reads there needs no lock."""

    def read_only(self):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("filelock.FileLock.acquire", read_only)
    with sole_writer(tmp_path / "p", "hotnas package", reading=True):
        pass
    with pytest.raises(OutputRefused, match="p: cannot be written: Read-only file system; name a folder"):
        with sole_writer(tmp_path / "p", "hotnas sim"):
            pass
