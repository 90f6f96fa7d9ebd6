"""A crew of processes on this machine.

Each holds the objective, whose large arrays all of them map from one file. They share nothing else: one that
is killed is replaced and its trial trained again, and all of them end with the process that started them.
"""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
from collections import deque
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from hotnas_hls.errors import ConfigError, HotnasError
from hotnas_hls.platforms.space import Candidate
from hotnas_hls.search.evaluating.objective import Objective, timed
from hotnas_hls.search.evaluating.outcome import Evaluation
from hotnas_hls.search.evaluating.stopping import Limits

MOST_DEATHS = 3  # of workers that train the same trial
ALIGNMENT = 64  # bytes
Task = tuple[int, Candidate, Limits]


def threads_each(workers: int) -> int:
    """Threads for each of so many processes on this machine."""
    return max(1, len(os.sched_getaffinity(0)) // workers)


class Parcel:
    """An object for other processes: pickled, its arrays in a file that they map instead of copying."""

    def __init__(self, value: object) -> None:
        buffers: list[pickle.PickleBuffer] = []
        try:
            self.pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        except (pickle.PicklingError, AttributeError, TypeError) as reason:
            raise ConfigError(
                f"the network or its data cannot be sent to other processes ({reason}); define its classes "
                "at the top of a module, or search with --workers 1"
            ) from None
        self.places: list[tuple[int, int]] = []
        self._file = tempfile.TemporaryFile()  # without a name: gone with this process, however that ends
        self.path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        for buffer in buffers:
            contents = buffer.raw()
            self._file.write(bytes(-self._file.tell() % ALIGNMENT))
            self.places.append((self._file.tell(), contents.nbytes))
            self._file.write(contents)
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    @staticmethod
    def opened(pickled: bytes, path: str, places: list[tuple[int, int]]) -> Any:
        """The object, in another process; what it changes of the arrays stays its own."""
        if not any(size for _, size in places):
            return pickle.loads(pickled, buffers=[b""] * len(places))
        with open(path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        return pickle.loads(pickled, buffers=[mapped[place : place + size] for place, size in places])


class _Worker:
    """One process, its pipe and the trial it trains."""

    def __init__(self, parcel: Parcel, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, parcel.pickled, parcel.path, parcel.places, threads, os.getcwd())
        self.process: SpawnProcess = context.Process(target=_serve, args=arguments, daemon=True)
        with _few_threads(threads):
            self.process.start()
        theirs.close()
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        self.task = task
        with contextlib.suppress(OSError):  # it is dead: whoever waits for it sees that
            self.pipe.send(task)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class WorkerCrew:
    """``count`` processes, each with ``threads`` threads."""

    def __init__(self, objective: Objective, count: int, threads: int) -> None:
        self._threads = threads
        self._parcel = Parcel(objective)
        self._queue: deque[Task] = deque()
        self._deaths: dict[int, int] = {}
        self._workers = [_Worker(self._parcel, threads) for _ in range(count)]

    @property
    def size(self) -> int:
        return len(self._workers)

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [worker.process.pid or 0 for worker in self._workers]

    def submit(self, number: int, candidate: Candidate, limits: Limits) -> None:
        self._queue.append((number, candidate, limits))
        self._hand_out()

    def wait(self) -> tuple[int, Evaluation]:
        while True:
            self._hand_out()
            busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker = busy[pipe]
                try:
                    answer = pipe.recv()
                except (EOFError, OSError):
                    self._replace(worker)
                    continue
                assert worker.task is not None
                number, worker.task = worker.task[0], None
                if isinstance(answer, BaseException):
                    raise answer
                return number, answer

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._parcel.close()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.task is None and self._queue:
                worker.give(self._queue.popleft())

    def _replace(self, dead: _Worker) -> None:
        """A new process for one that was killed; its trial goes first."""
        task = dead.task
        dead.process.join()
        code = dead.process.exitcode
        dead.end()
        self._workers[self._workers.index(dead)] = _Worker(self._parcel, self._threads)
        if task is None:
            return
        deaths = self._deaths[task[0]] = self._deaths.get(task[0], 0) + 1
        if deaths == MOST_DEATHS:
            raise HotnasError(
                f"trial {task[0]} ended {deaths} workers (exit status {code}; -9, killed, is often want of "
                "memory): search with fewer --workers or a smaller batch_size"
            )
        self._queue.appendleft(task)


@contextlib.contextmanager
def _few_threads(threads: int) -> Any:
    """The environment a process starts with: BLAS and OpenMP read their thread counts once."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(
    pipe: Connection, pickled: bytes, path: str, places: list[tuple[int, int]], threads: int, folder: str
) -> None:
    """Life of a worker: unpack the objective, then a trial at a time until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears of it and ends us
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    sys.path.insert(0, folder)  # where a user's package.module lies
    objective = Parcel.opened(pickled, path, places)
    while True:
        try:
            _, candidate, limits = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: Evaluation | Exception = timed(objective, candidate, limits)
        except Exception as error:  # whatever it is, the parent raises it
            error.add_note(f"in worker {os.getpid()}")
            answer = error
        pipe.send(answer)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
