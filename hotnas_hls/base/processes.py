"""Programs that are run: all they print in a log, and none that outlives its caller."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.base.terminal import LOG
from hotnas_hls.errors import HotnasError, ToolNotFound

TAIL_LINES = 15
TERMINATION_SECONDS = 5
GUARD = "read line || kill -KILL 0"  # ends its process group when whoever holds its input is gone


@dataclass(frozen=True)
class Finished:
    """One run of a program."""

    returncode: int
    seconds: float
    log: Path  # everything it printed

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines it printed."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
    failure: type[HotnasError] | None = None,
) -> Finished:
    """Run ``command`` with all its output in ``log``; its process group ends with this call.

    It also ends with this process, however that is killed. With ``failure``, a non-zero exit or a timeout
    raises it with the last lines and the log's place.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    LOG.debug("run %s", shlex.join(words))
    start = time.monotonic()
    timed_out = False
    with open(log, "wb") as output, _guard() as guard:
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=dict(environment) if environment is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=guard.pid,
            )
        except FileNotFoundError as reason:
            raise ToolNotFound(f"{command[0]}: cannot be started: {reason.strerror}") from None
        try:
            code = process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            timed_out, code = True, 124
        finally:
            if process.poll() is None:
                _ask_to_end(guard, process)
    finished = Finished(code, time.monotonic() - start, log)
    LOG.debug("%s: status %d after %.1f s, all it printed is in %s", words[0], code, finished.seconds, log)
    if failure is not None and code != 0:
        why = f"did not end within {timeout:g} s" if timed_out else f"ended with status {code}"
        raise failure(f"{Path(str(command[0])).name} {why}; all it printed is in {log}:\n{finished.tail()}")
    return finished


@contextlib.contextmanager
def _guard() -> Iterator[subprocess.Popen[bytes]]:
    """Leader of a process group that ends with this block, and also with this process."""
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD],
        stdin=subprocess.PIPE,  # nobody else has the other end
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        yield guard
    finally:
        os.killpg(guard.pid, signal.SIGKILL)
        guard.communicate()


def _ask_to_end(guard: subprocess.Popen[bytes], process: subprocess.Popen[bytes]) -> None:
    """Let a process and its group end by themselves; the guard ends what does not."""
    os.killpg(guard.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=TERMINATION_SECONDS)
