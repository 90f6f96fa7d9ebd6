"""The wheel ships what a checkout has: templates, bench, boards, configurations, weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from small_designs import small_design

from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.simulate.flow import generate

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["templates", "sim"])
def test_a_checkout_has_its_folders(name: str):
    assert shipped_folder(name) == ROOT / name


def test_an_unknown_folder():
    with pytest.raises(FileNotFoundError, match="install hotnas-hls again"):
        shipped_folder("nothing")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    pytest.importorskip("setuptools")
    source = tmp_path_factory.mktemp("wheel") / "source"
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
    (made,) = (source / "dist").glob("*.whl")
    return made


def test_the_wheel_has_every_file_of_the_checkout(wheel: Path):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    expected = set()
    for name, inside in (("hotnas_hls", ""), ("templates", "hotnas_hls/"), ("sim", "hotnas_hls/")):
        for path in (ROOT / name).rglob("*"):
            relative = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in relative and "sim_build" not in relative:
                expected.add(inside + relative)
    assert sorted(expected - shipped) == []


@pytest.mark.whole
def test_an_installed_wheel_makes_the_same_package_as_the_checkout(wheel: Path, tmp_path: Path):
    site, point = tmp_path / "site", small_design()
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    point.save(tmp_path / "run")
    program = (
        "import sys, hotnas_hls; from hotnas_hls.cli import main; "
        f"assert hotnas_hls.__file__.startswith({str(site)!r}); sys.exit(main(sys.argv[1:]))"
    )
    # In another place numba would compile all anew, which takes longer than a small design without it.
    environment = os.environ | {"PYTHONPATH": str(site), "NUMBA_DISABLE_JIT": "1"}
    for command in (["hls", "run", "--name", "small", "--images", "2"], ["verify", "hls_out/small"]):
        whole = [sys.executable, "-c", program, *command]
        subprocess.run(whole, cwd=tmp_path, env=environment, check=True, capture_output=True)
    generate(point, tmp_path / "here" / "small", images=2)
    manifests = [tmp_path / place / "small" / "manifest.json" for place in ("hls_out", "here")]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()


@pytest.mark.parametrize("target", ["help", ""])
def test_make_help_is_the_default(target: str):
    done = subprocess.run(["make", *target.split()], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("setup", "search", "hls", "sim", "report", "test", "check", "bench", "clean"):
        assert f"\n  {name} " in done.stdout
