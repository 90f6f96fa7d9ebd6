"""Tables of what searches found, from the results that ``measured.py`` took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from measured import (
    ABLATION_RESULTS,
    PRUNING_RESULTS,
    SAMPLER_RESULTS,
    SEARCH_RESULTS,
    STRONGEST_RESULTS,
    results,
)
from table import markdown

Figures = dict[str, Any]


def searches() -> str:
    """What the shipped searches found."""

    def row(found: Figures) -> tuple[object, ...]:
        latency, test, cost = found["latency_ms"], found["test_accuracy"], found["cost"]
        plain = found.get("uncompressed_ms", {}).get("int8")
        return (
            title(found),
            f"{latency['before']:.4g}",
            "–" if plain is None else f"{plain:.4g}",
            f"{latency['after']:.4g}",
            f"−{found['reduction']:.1%}",
            "–" if plain is None else f"−{1 - latency['after'] / plain:.1%}",
            f"{test['before']:.2%}",
            f"{test['after']:.2%}",
            f"{found['cycles']['after']:,.0f}",
            f"{cost['wall_seconds'] / 60:.0f}",
            f"{cost['cpu_seconds'] / 60:.0f}",
        )

    return markdown(
        (
            *("Search", "16 bits ms", "8 bits ms", "ms", "Beyond 16 bits", "Beyond 8 bits"),
            *("Test accuracy before", "After", "Cycles", "Minutes", "CPU minutes"),
        ),
        map(row, _searches()),
    )


def edits() -> str:
    """What each kind of edit brought."""

    def row(found: Figures) -> Iterator[object]:
        steps = {step["name"]: step for step in found["reductions"]}
        bits = sorted(set(found["weight_bits"]))
        yield title(found)
        yield f"{found['latency_ms']['before']:.4g}"
        for name in ("pattern", "channel", "quantisation", "hardware"):
            yield from (_ms(steps[name]["latency_ms"]), _ms(steps[name]["alone_ms"]))
        yield found["pruned_layers"]
        yield f"{bits[0]} to {bits[-1]}" if len(bits) > 1 else bits[0]

    return markdown(
        (
            *("Search", "Baseline ms", "+ patterns", "Alone", "+ channels", "Alone"),
            *("+ quantisation", "Alone", "+ hardware", "Alone", "Layers pruned", "Weight bits"),
        ),
        map(row, _searches()),
    )


def strongest() -> str:
    """The latency side of a search: the strongest edits it may choose, beside plain 8 bits."""

    def row(found: Figures) -> tuple[object, ...]:
        plain, slowest = found["uncompressed_ms"]["int8"], found["slowest"]
        shares = ", ".join(f"{label} {share:.0%}" for label, share in found["shares"].items())
        return (
            f"{found['network']}, {found['board']}",
            _ms(found["uncompressed_ms"]["int16"]),
            _ms(plain),
            *(f"{_ms(ms)} (−{1 - ms / plain:.1%})" for ms in (found["published_ms"], found["ms"])),
            found["arrangement"],
            f"{shares}; {slowest['layer']} {slowest['term']} {slowest['share']:.0%}",
        )

    heads = ("Network", "16 bits", "8 bits", "3 of 9 zero", "Up to 6 of 9", "Arrangement", "What is left")
    return markdown(heads, map(row, results(STRONGEST_RESULTS).values()))


def samplers() -> str:
    """Samplers at an equal budget."""
    compared = results(SAMPLER_RESULTS)

    def row(found: Figures) -> tuple[object, ...]:
        low, high = found["hypervolume_range"]
        return (
            found["variant"],
            f"{found['hypervolume']:.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{found['accuracy']:.2%}",
            f"{found['latency_ms']:.4g}",
            *(f"{found[count]:.1f}" for count in ("trained", "stopped", "refused")),
        )

    return markdown(
        (
            f"{compared['network']}, {compared['trials']} trials, means of {compared['seeds']} seeds",
            *("Hypervolume", "Range", "Best accuracy", "Its ms", "Trained", "Stopped", "Refused"),
        ),
        map(row, compared["ranking"]),
    )


def ablation() -> str:
    """What each step brings on the way to integers."""
    return markdown(
        ("ResNet-20", "Validation", "CPU s"),
        (
            (name, f"{found['validation_accuracy']:.2%}", f"{found['cpu_seconds']:.1f}")
            for name, found in results(ABLATION_RESULTS).get("stages", {}).items()
        ),
    )


def pruning() -> str:
    """Patterns and channels by size and by effect, with the integers rounded and fitted."""
    found = results(PRUNING_RESULTS)
    return markdown(
        ("ResNet-20, zero in every 3×3 kernel, or cut inside blocks", "Rounded", "Fitted"),
        (
            (name, f"{one['rounded']:.1%}", f"{one['fitted']:.1%}")
            for name, one in found.items()
            if isinstance(one, dict)
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table for table in (searches, edits, strongest, samplers, ablation, pruning)
}


def title(found: Figures) -> str:
    """Network, board and seed of a search."""
    return f"{found['network']}, {found['board']}, seed {found['seed']}"


def _searches() -> list[Figures]:
    return list(results(SEARCH_RESULTS).values())


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
