"""Before a search: how far integers are from floats, and channels equalised where those lose the signal."""

from __future__ import annotations

import dataclasses

from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.trace import trace_twin
from hotnas_hls.models.equalise import equalised
from hotnas_hls.search.fitting.integer import measured_fidelity
from hotnas_hls.search.problem import Problem


def balanced(problem: Problem, form: IntegerFormat) -> tuple[Problem, list[str]]:
    """The problem whose integers say more, the same function in floats, and what to tell, a line each."""
    found = measured_fidelity(problem, form)
    if not found.losing:
        return problem, [str(found)]
    model = equalised(problem.model, problem.graph)
    graph = trace_twin(problem.graph, model, problem.name)
    twin = dataclasses.replace(problem, model=model, graph=graph)
    better = measured_fidelity(twin, form)
    if len(better.losing) >= len(found.losing):
        return problem, [str(found)]
    return twin, [str(found), f"channels equalised between layers, the function stays: {better}"]
