"""Several processes on one study: nothing finished is lost, nothing is trained twice, nobody is left over."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.errors import ConfigError, HotnasError
from hotnas_hls.search.evaluating.stopping import UNLIMITED
from hotnas_hls.search.running.storage import study_place
from hotnas_hls.search.running.workers import MOST_DEATHS, Parcel, WorkerCrew, threads_each

from .toy_study import SPACE, ToyObjective, study

ROOT = Path(__file__).resolve().parents[2]


class Deadly(ToyObjective):
    """Kills whoever trains the candidate of 2-bit weights."""

    def evaluate(self, candidate, limits):
        if set(candidate.values()) == {2}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(candidate, limits)


class Broken(ToyObjective):
    def evaluate(self, candidate, limits):
        raise ZeroDivisionError("a bug")


def candidate(value: int):
    return SPACE.candidate([axis.options.index(value) for axis in SPACE.axes])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.whole
def test_a_killed_worker_loses_nothing(tmp_path):
    place = study_place("sqlite", tmp_path)
    with closing(WorkerCrew(ToyObjective(0.2), 2, 1)) as crew:
        searched = study(24, place, crew=crew)
        killed = []

        def kill_one(outcome):
            if len(searched.outcomes) in (6, 12):
                killed.append(crew.pids[0])
                os.kill(killed[-1], signal.SIGKILL)

        outcomes = searched.run([candidate(16), candidate(8), candidate(4)], kill_one)
        assert len(killed) == 2 and not set(killed) & set(crew.pids) and crew.size == 2
    assert sorted(outcome.number for outcome in outcomes) == list(range(24))
    resumed = study(25, place, resume=True)
    assert resumed.outcomes == outcomes
    assert len(resumed.run()) == 25
    trained = [o for o in outcomes if o.accuracy is not None and o.repeats is None]
    assert len({o.candidate for o in trained}) == len(trained)  # also where two were in flight at once
    assert all(o.seconds >= 0.2 for o in trained)


@pytest.mark.whole
def test_the_same_network_in_flight_is_trained_once():
    with closing(WorkerCrew(ToyObjective(0.3), 2, 1)) as crew:
        outcomes = study(4, crew=crew).run([candidate(4), candidate(4), candidate(8), candidate(4)])
    assert sorted(o.repeats is not None for o in outcomes if o.candidate == candidate(4)) == [
        False,
        True,
        True,
    ]


@pytest.mark.whole
def test_killing_the_parent_ends_the_workers_and_keeps_the_trials(tmp_path):
    place = study_place("journal", tmp_path)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.search.toy_study", place.url, "200", "0.3", "2"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )
    pids = [int(word) for word in process.stdout.readline().split()]
    said = [int(process.stdout.readline()) for _ in range(8)]
    assert all(map(alive, pids))
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().split()]
    process.wait()
    begun = time.monotonic()
    while any(map(alive, pids)) and time.monotonic() - begun < 10:
        time.sleep(0.05)
    assert not any(map(alive, pids))
    assert place.is_interrupted()
    resumed = study(len(said) + 5, place, resume=True)
    assert len(resumed.outcomes) in (len(said), len(said) + 1)  # one may be stored and not said yet
    assert len(resumed.run()) == len(said) + 5


@pytest.mark.whole
def test_a_trial_that_kills_every_worker_is_an_error():
    with closing(WorkerCrew(Deadly(), 1, 1)) as crew:
        crew.submit(7, candidate(2), UNLIMITED)
        message = (
            rf"^trial 7 ended {MOST_DEATHS} workers \(exit status -9; -9, killed, is often want of memory\): "
        )
        with pytest.raises(HotnasError, match=message):
            crew.wait()


def test_a_bug_is_raised_where_it_can_be_seen():
    with closing(WorkerCrew(Broken(), 1, 1)) as crew:
        crew.submit(0, candidate(4), UNLIMITED)
        with pytest.raises(ZeroDivisionError, match="a bug"):
            crew.wait()


def test_threads_are_divided():
    cores = len(os.sched_getaffinity(0))
    assert [threads_each(n) for n in (1, cores, 4 * cores)] == [cores, 1, 1]


def test_arrays_are_mapped_and_changes_stay_private():
    sent = {"large": np.arange(1000.0), "empty": np.empty((0, 3)), "small": np.ones(3, np.int8)}
    with closing(Parcel(sent)) as parcel:
        assert len(parcel.pickled) < 1000
        one, two = (Parcel.opened(parcel.pickled, parcel.path, parcel.places) for _ in range(2))
        one["large"][0] = 7
        assert two["large"][0] == 0 and two["small"].tolist() == [1, 1, 1] and two["empty"].shape == (0, 3)
        assert two["large"].ctypes.data % 64 == 0
    assert not Path(parcel.path).exists()


def test_what_cannot_be_sent_is_said():
    class Local:
        pass

    with pytest.raises(
        ConfigError, match="define its classes at the top of a module, or search with --workers 1$"
    ):
        Parcel(Local())
