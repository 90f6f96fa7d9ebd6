"""A crew on a Ray cluster: trials are its tasks, the network and its data go to each node once.

Ray runs the tasks of a node that is lost on another. What was finished is in this process and its storage.
"""

from __future__ import annotations

import logging
import math
import os
import socket
from typing import Any

from hotnas_hls.base.tools import require
from hotnas_hls.errors import ConfigError
from hotnas_hls.platforms.space import Candidate
from hotnas_hls.search.evaluating.objective import Objective, timed
from hotnas_hls.search.evaluating.outcome import Evaluation
from hotnas_hls.search.evaluating.stopping import Limits
from hotnas_hls.search.running.crew import CrewOptions

CONNECT_SECONDS = 10.0
MOST_DEATHS = 10  # of nodes or workers under the same trial


class RayCrew:
    """The cluster at an address; its tasks need what the options say of a node."""

    def __init__(self, objective: Objective, options: CrewOptions) -> None:
        require("ray")
        import ray

        self._ray, self._options = ray, options
        try:
            _require_somebody(options.ray or "auto")
            paths = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
            ray.init(
                address=options.ray,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": {"PYTHONPATH": paths}},  # where a user's package.module lies
            )
        except (OSError, RuntimeError, ValueError) as reason:
            raise ConfigError(
                f"search.ray: no cluster answers at {options.ray} ({str(reason).splitlines()[0]}); "
                "start one with 'ray start --head' and give its HOST:PORT, or search with --workers"
            ) from None
        self._flights: dict[Any, int] = {}
        if self._capacity() < 1:
            self.close()
            raise ConfigError(
                f"search.ray: no node of {options.ray} has {options.trial_cpus:g} CPUs and "
                f"{options.trial_gpus:g} GPUs for a trial; lower search.trial_cpus or search.trial_gpus"
            )
        self._objective = ray.put(objective)
        self._train = ray.remote(
            num_cpus=options.trial_cpus,
            num_gpus=options.trial_gpus,
            max_retries=MOST_DEATHS,
        )(_train)

    @property
    def size(self) -> int:
        """Room on the nodes that are alive, at most ``workers`` where more than one are asked for."""
        room = max(1, self._capacity())
        return min(room, self._options.workers) if self._options.workers > 1 else room

    def submit(self, number: int, candidate: Candidate, limits: Limits) -> None:
        flight = self._train.remote(self._objective, candidate, limits)
        self._flights[flight] = number

    def wait(self) -> tuple[int, Evaluation]:
        (done, *_), _ = self._ray.wait(list(self._flights), num_returns=1)
        number = self._flights.pop(done)
        return number, self._ray.get(done)

    def close(self) -> None:
        for flight in self._flights:
            self._ray.cancel(flight, force=True)
        self._flights.clear()
        self._ray.shutdown()

    def _capacity(self) -> int:
        """Trials that fit on the nodes that are alive."""
        options = self._options
        room = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                fits = [node["Resources"].get("CPU", 0) / options.trial_cpus]
                if options.trial_gpus:
                    fits.append(node["Resources"].get("GPU", 0) / options.trial_gpus)
                room += math.floor(min(fits))
        return room


def _require_somebody(address: str) -> None:
    """An OSError or ValueError where nobody listens; Ray itself would try for minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


def _train(objective: Objective, candidate: Candidate, limits: Limits) -> Evaluation:
    """A trial, on a node; Ray sets OMP_NUM_THREADS, and so torch's threads, to the task's CPUs."""
    return timed(objective, candidate, limits)
