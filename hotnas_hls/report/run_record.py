"""What a search left in its run folder: the summary ``search.json`` and every trial in ``study.db``.

Read without torch and without Optuna. A folder or a key that is missing leaves ``None``: unknown.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotnas_hls.base.records import load_json
from hotnas_hls.errors import ConfigError

SUMMARY_FILE, STUDY_FILE = "search.json", "study.db"
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


@dataclass(frozen=True)
class Reduction:
    """Latency after one kind of change, on top of those before it."""

    name: str  # pattern, channel, quantisation, hardware, ...
    latency_ms: float


@dataclass(frozen=True)
class RunRecord:
    """A finished search."""

    latency_before_ms: float | None = None  # of the best uncompressed design
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
    weight_bits: dict[str, int] | None = None  # layer -> bits, of the layers that were narrowed
    reductions: tuple[Reduction, ...] | None = None  # cumulative, in order; None: not recorded
    history: tuple[Trial, ...] | None = None  # None: no study beside the summary

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
    try:
        return _summary(record, history)
    except (TypeError, ValueError, AttributeError, KeyError) as reason:
        raise ConfigError(f"{path}: not the summary of a search ({reason}); run it again") from None


def _summary(record: Mapping[str, Any], history: tuple[Trial, ...] | None) -> RunRecord:
    latency, validation = record.get("latency_ms") or {}, record.get("validation_accuracy") or {}
    hardware, edits = record.get("hardware") or {}, record.get("edits") or {}
    steps = record.get("reductions")
    return RunRecord(
        latency_before_ms=latency.get("before"),
        latency_after_ms=latency.get("after"),
        validation_before=validation.get("before"),
        validation_after=validation.get("after"),
        space_size=record.get("space_size"),
        trained=record.get("trained"),
        refused=record.get("refused"),
        repeated=record.get("repeated"),
        seconds=record.get("evaluation_seconds"),
        trials=record.get("trials"),
        hardware_before=hardware.get("before"),
        hardware_after=hardware.get("after"),
        channels=edits.get("channels"),
        channels_before={
            decision["layer"]: decision["before"]
            for decision in record.get("decisions") or ()
            if decision["kind"] == "channels"
        },
        expanded=tuple(edits["expanded"]) if "expanded" in edits else None,
        weight_bits=edits.get("weight_bits"),
        reductions=tuple(
            Reduction(step["name"], step["latency_ms"]) for step in steps if step["latency_ms"] is not None
        )
        if steps
        else None,
        history=history,
    )


def _history(path: Path) -> tuple[Trial, ...] | None:
    """Every finished trial of a study in SQLite, read without changing it."""
    if not path.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as study:
            rows = study.execute(_TRIALS, (OUTCOME,)).fetchall()
    except sqlite3.Error:
        return None
    outcomes = [(number, json.loads(text)) for number, text in rows]
    return tuple(
        Trial(number, found.get("latency_ms"), found.get("accuracy"), bool(found.get("refusals")))
        for number, found in outcomes
    )
