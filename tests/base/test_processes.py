"""Programs that are run: their log, their failure, and that nothing of them is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hotnas_hls.base import processes
from hotnas_hls.errors import SimulationFailed, ToolNotFound


def test_run_keeps_the_log(tmp_path: Path):
    finished = processes.run(["sh", "-c", "echo out; echo err >&2; exit 3"], tmp_path / "logs" / "x.log")
    assert finished.returncode == 3
    assert sorted(finished.tail().splitlines()) == ["err", "out"]


def test_a_failed_run_shows_the_end_of_its_log(tmp_path: Path):
    log = tmp_path / "x.log"
    with pytest.raises(SimulationFailed) as caught:
        processes.run(["sh", "-c", "echo broken; exit 2"], log, failure=SimulationFailed)
    assert str(caught.value) == f"sh ended with status 2; all it printed is in {log}:\nbroken"


def test_a_run_that_hangs_is_ended_with_its_children(tmp_path: Path):
    log = tmp_path / "x.log"
    begin = time.monotonic()
    with pytest.raises(SimulationFailed) as caught:
        processes.run(["sh", "-c", "sleep 60 & echo $!; wait"], log, timeout=0.5, failure=SimulationFailed)
    assert time.monotonic() - begin < 10
    assert str(caught.value).startswith(f"sh did not end within 0.5 s; all it printed is in {log}:")
    assert _ends(int(log.read_text()))


def test_what_a_tool_leaves_behind_ends_with_it(tmp_path: Path):
    log = tmp_path / "x.log"
    assert processes.run(["sh", "-c", "sleep 60 & echo $!"], log).returncode == 0
    assert _ends(int(log.read_text()))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_tool_ends_with_the_process_that_started_it(tmp_path: Path, how: signal.Signals):
    """Its children too: a compiler that goes on would write into the next build."""
    log = tmp_path / "x.log"
    program = (
        "import signal; from pathlib import Path; from hotnas_hls.base import processes; "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # nohup has it ignored
        f"processes.run(['sh', '-c', 'sleep 60 & echo $!; wait'], Path({str(log)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    while not log.is_file() or not log.read_text().endswith("\n"):
        assert process.poll() is None
        time.sleep(0.02)
    child = int(log.read_text())
    assert _runs(child)
    process.send_signal(how)
    process.wait()
    assert _ends(child)


def test_a_program_that_is_not_there(tmp_path: Path):
    with pytest.raises(ToolNotFound) as caught:
        processes.run(["/no/such/program"], tmp_path / "x.log")
    assert str(caught.value) == "/no/such/program: cannot be started: No such file or directory"


def _ends(pid: int) -> bool:
    """Whether a process is gone within 5 s."""
    for _ in range(50):
        if not _runs(pid):
            return True
        time.sleep(0.1)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
