"""The wheel ships what a checkout has: templates, bench, boards, configurations, weights."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hotnas_hls.shipped import shipped_folder

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["templates", "sim"])
def test_a_checkout_has_its_folders(name: str):
    assert shipped_folder(name) == ROOT / name


def test_an_unknown_folder():
    with pytest.raises(FileNotFoundError, match="install hotnas-hls again"):
        shipped_folder("nothing")


def test_the_wheel_has_every_file_of_the_checkout(tmp_path: Path):
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    for name in ("hotnas_hls", "templates", "sim"):
        ignored = shutil.ignore_patterns("__pycache__", "sim_build", ".*cache")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", "dist"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "."]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    expected = set()
    for name, inside in (("hotnas_hls", ""), ("templates", "hotnas_hls/"), ("sim", "hotnas_hls/")):
        for path in (ROOT / name).rglob("*"):
            relative = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in relative and "sim_build" not in relative:
                expected.add(inside + relative)
    assert sorted(expected - shipped) == []


@pytest.mark.parametrize("target", ["help", ""])
def test_make_help_is_the_default(target: str):
    done = subprocess.run(["make", *target.split()], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("setup", "search", "hls", "sim", "report", "test", "check", "bench", "clean"):
        assert f"\n  {name} " in done.stdout
