"""The crew that the options ask for: this process, several, or a cluster."""

from __future__ import annotations

from hotnas_hls.search.evaluating.objective import Objective
from hotnas_hls.search.running.crew import Crew, CrewOptions, InPlace


def hire(objective: Objective, options: CrewOptions, small: bool) -> Crew:
    """The crew the options ask for; ``small``: the network is faster on one thread."""
    if options.ray is not None:
        from hotnas_hls.search.running.ray_crew import RayCrew

        return RayCrew(objective, options)
    if options.workers > 1:
        from hotnas_hls.search.running.workers import WorkerCrew, threads_each

        return WorkerCrew(objective, options.workers, 1 if small else threads_each(options.workers))
    return InPlace(objective)
