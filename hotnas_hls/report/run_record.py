"""What a search left in its run folder: the summary ``search.json`` and every trial in ``study.db``.

Read without torch and without Optuna. A folder or a key that is missing leaves ``None``: unknown.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hotnas_hls.base.records import load_json, read_record, read_value
from hotnas_hls.errors import ConfigError, raise_all

SUMMARY_FILE, STUDY_FILE = "search.json", "study.db"
MODEL = "model"  # key of the summary that names the platform, where that is a model only
OUTCOME = "outcome"  # the study's user attribute with a trial's record
_TRIALS = (
    "SELECT trials.number, attributes.value_json FROM trials"
    " JOIN trial_user_attributes AS attributes ON attributes.trial_id = trials.trial_id"
    " WHERE attributes.key = ? ORDER BY trials.number"
)


@dataclass(frozen=True)
class Trial:
    """One candidate of a search."""

    number: int
    latency_ms: float | None
    accuracy: float | None  # on validation; None: refused by the hardware test, never trained
    refused: bool
    repeated: bool = False  # a network that was trained before, on this hardware or other


@dataclass(frozen=True)
class Reduction:
    """Latency after one kind of change, on top of those before it."""

    name: str  # pattern, channel, quantisation, hardware, ...
    latency_ms: float


@dataclass(frozen=True)
class Further:
    """What would shorten a layer of the result, priced by the model of the search's platform."""

    other_keys: ClassVar[bool] = True
    layer: str
    bottleneck: str
    remedy: str
    change: str
    saved: float  # cycles of the whole


@dataclass(frozen=True)
class RunRecord:
    """A finished search."""

    latency_before_ms: float | None = None  # of the best uncompressed 16-bit design
    plain_ms: float | None = None  # of the best uncompressed 8-bit design
    latency_after_ms: float | None = None
    validation_before: float | None = None
    validation_after: float | None = None
    space_size: float | None = None
    trained: int | None = None
    refused: int | None = None
    repeated: int | None = None
    seconds: float | None = None
    trials: int | None = None
    hardware_before: dict[str, int] | None = None
    hardware_after: dict[str, int] | None = None
    channels: dict[str, int] | None = None  # convolution -> output channels kept
    channels_before: dict[str, int] | None = None  # convolution -> output channels before the search
    expanded: tuple[str, ...] | None = None
    skips_cut: tuple[str, ...] = ()  # convolutions without the skip connection they read
    weight_bits: dict[str, int] | None = None  # layer -> bits, of the layers that were narrowed
    reductions: tuple[Reduction, ...] | None = None  # cumulative, in order; None: not recorded
    history: tuple[Trial, ...] | None = None  # None: no study beside the summary
    remedies: tuple[Further, ...] | None = None  # what would help further, the best first; None: not recorded

    def front(self) -> list[Trial]:
        """Trained candidates no other beats in both accuracy and latency, the fastest first."""
        trained = [t for t in self.history or () if t.accuracy is not None and t.latency_ms is not None]
        best, found = -1.0, []
        for trial in sorted(trained, key=lambda t: (t.latency_ms or 0, -(t.accuracy or 0), t.number)):
            if not trial.refused and (trial.accuracy or 0) > best:
                found.append(trial)
                best = trial.accuracy or 0
        return found


def read_run(folder: Path) -> RunRecord | None:
    """The search of a run folder, ``None`` when it keeps no record of one."""
    history = _history(folder / STUDY_FILE)
    path = folder / SUMMARY_FILE
    if not path.is_file():
        return None if history is None else RunRecord(history=history)
    record = load_json(path)
    if not isinstance(record, dict):
        raise ConfigError(f"{path}: not the summary of a search; run hotnas search again")
    problems: list[str] = []
    summary = read_record(_Summary, record, "", problems)
    if summary is not None:
        problems += _latency_violations(summary)
    raise_all(ConfigError, f"{path}: not the summary of a search; run it again:", problems)
    return _run_record(summary, history)


@dataclass(frozen=True)
class _BeforeAfter:
    other_keys: ClassVar[bool] = True
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True)
class _Hardware:
    other_keys: ClassVar[bool] = True
    before: dict[str, int] | None = None
    after: dict[str, int] | None = None


@dataclass(frozen=True)
class _Edits:
    other_keys: ClassVar[bool] = True
    channels: dict[str, int] | None = None
    expanded: tuple[str, ...] | None = None
    skips_cut: tuple[str, ...] = ()
    weight_bits: dict[str, int] | None = None


@dataclass(frozen=True)
class _Decision:
    other_keys: ClassVar[bool] = True
    layer: str
    kind: str
    before: Any


@dataclass(frozen=True)
class _Step:
    other_keys: ClassVar[bool] = True
    name: str
    latency_ms: float | None


@dataclass(frozen=True)
class _Summary:
    """What of ``search.json`` the report shows."""

    other_keys: ClassVar[bool] = True
    latency_ms: _BeforeAfter | None = None
    uncompressed_ms: dict[str, float] | None = None
    validation_accuracy: _BeforeAfter | None = None
    space_size: float | None = None
    trained: int | None = None
    refused: int | None = None
    repeated: int | None = None
    evaluation_seconds: float | None = None
    trials: int | None = None
    hardware: _Hardware | None = None
    edits: _Edits | None = None
    decisions: tuple[_Decision, ...] | None = None
    reductions: tuple[_Step, ...] | None = None
    remedies: tuple[Further, ...] | None = None


def _latency_violations(summary: _Summary) -> list[str]:
    """Latencies that are none."""
    latency = summary.latency_ms or _BeforeAfter()
    named = {"latency_ms.before": latency.before, "latency_ms.after": latency.after}
    named |= {f"uncompressed_ms.{name}": took for name, took in (summary.uncompressed_ms or {}).items()}
    named |= {f"reductions: {step.name}": step.latency_ms for step in summary.reductions or ()}
    return [
        f"{where}: must be more than 0, not {value:g}"
        for where, value in named.items()
        if value is not None and value <= 0
    ]


def _run_record(summary: _Summary, history: tuple[Trial, ...] | None) -> RunRecord:
    latency = summary.latency_ms or _BeforeAfter()
    validation = summary.validation_accuracy or _BeforeAfter()
    hardware, edits = summary.hardware or _Hardware(), summary.edits or _Edits()
    return RunRecord(
        latency_before_ms=latency.before,
        plain_ms=(summary.uncompressed_ms or {}).get("int8"),
        latency_after_ms=latency.after,
        validation_before=validation.before,
        validation_after=validation.after,
        space_size=summary.space_size,
        trained=summary.trained,
        refused=summary.refused,
        repeated=summary.repeated,
        seconds=summary.evaluation_seconds,
        trials=summary.trials,
        hardware_before=hardware.before,
        hardware_after=hardware.after,
        channels=edits.channels,
        channels_before={
            decision.layer: decision.before
            for decision in summary.decisions or ()
            if decision.kind == "channels" and isinstance(decision.before, int)
        },
        expanded=edits.expanded,
        skips_cut=edits.skips_cut,
        weight_bits=edits.weight_bits,
        reductions=tuple(
            Reduction(step.name, step.latency_ms)
            for step in summary.reductions or ()
            if step.latency_ms is not None
        )
        or None,
        history=history,
        remedies=summary.remedies,
    )


@dataclass(frozen=True)
class _Outcome:
    """What of a trial's record the report shows."""

    other_keys: ClassVar[bool] = True
    latency_ms: float | None = None
    accuracy: float | None = None
    refusals: tuple[str, ...] | None = None
    repeats: int | None = None


def _history(path: Path) -> tuple[Trial, ...] | None:
    """Every finished trial of a study in SQLite, read without changing it."""
    if not path.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as study:
            rows = study.execute(_TRIALS, (OUTCOME,)).fetchall()
    except sqlite3.Error:
        return None
    problems: list[str] = []
    trials = []
    for number, text in rows:
        try:
            record = json.loads(text)
        except (TypeError, ValueError, RecursionError) as reason:
            problems.append(f"trial {number}: {reason}")
            continue
        found = read_value(_Outcome, record, f"trial {number}", problems)
        if found is not None:
            refused, repeated = bool(found.refusals), found.repeats is not None
            trials.append(Trial(number, found.latency_ms, found.accuracy, refused, repeated))
    raise_all(ConfigError, f"{path}: not the study of a search:", problems)
    return tuple(trials)

def refuse_model(folder: Path) -> None:
    """ConfigError for the folder of a search on a platform that is a model only."""
    summary = folder / SUMMARY_FILE
    platform = load_json(summary).get(MODEL) if summary.is_file() else None
    if platform is not None:
        raise ConfigError(
            f"{folder}: searched on a model only ({platform}); there is no design to generate or simulate"
        )
