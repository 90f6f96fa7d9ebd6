"""Watching a search: time left, the best so far, and why candidates were refused."""

from __future__ import annotations

import re
import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hotnas_hls.base.terminal import progress_console
from hotnas_hls.search.evaluating.outcome import Outcome, best_outcome
from hotnas_hls.search.running.study import SearchStudy

PLAIN_SECONDS = (
    10.0  # between two lines where the output is no terminal, or a tenth of what the stage has taken
)


class ConsoleReporter:
    """A live bar in a terminal; a line now and then in a log."""

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console = console or progress_console()
        self.console.quiet |= quiet
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID | None = None
        self._refusals: Counter[str] = Counter()
        self._stopped = 0
        self._started = self._spoken = time.monotonic()
        self._first: tuple[int, float] | None = None  # trials done before the first heard of, and its begin

    def __enter__(self) -> ConsoleReporter:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def stage(self, text: str) -> None:
        """A new part of the search begins."""
        self._drop()
        self._refusals.clear()
        self._stopped, self._first = 0, None
        passed = time.monotonic() - self._started
        self.console.print(f"[{passed:6.1f} s] {text}", highlight=False, soft_wrap=True)

    def outcome(self, outcome: Outcome, study: SearchStudy) -> None:
        """A trial is finished."""
        done, total = study.trained, study.settings.trials
        self._refusals.update(reason(refusal) for refusal in outcome.refusals[:1])
        self._stopped += outcome.stopped is not None
        self._show(f"trials  {self._summary(study)}", done, total)
        if self._first is None:
            self._first = done - 1, time.monotonic() - outcome.seconds
        self._say(f"{done}/{total} trials", done, total, f"; {self._summary(study)}")
        if done == total:
            self._drop()

    def step(self, done: int, total: int, what: str = "batches") -> None:
        """One more of many small steps is done: a batch of fine-tuning, the sensitivity of an edit."""
        self._show(what, done, total)
        if self._first is None or done <= self._first[0]:  # also where it begins once more
            self._first = done, time.monotonic()
        else:
            self._say(f"{done}/{total} {what}", done, total)

    def _say(self, text: str, done: int, total: int, more: str = "") -> None:
        """A line with the time left, now and then, for whoever watches a file."""
        now = time.monotonic()
        if self.console.is_terminal or self._first is None:
            return
        before, began = self._first
        if now - self._spoken > max(PLAIN_SECONDS, (now - began) / 10) or done == total:
            self._spoken = now
            left = (now - began) / (done - before) * (total - done)
            line = f"  {text}, {left:.0f} s left{more}"
            self.console.print(line, highlight=False, soft_wrap=True)

    def _summary(self, study: SearchStudy) -> str:
        best = best_outcome(study.outcomes, 0.0, bounded=True)
        found = "none feasible yet"
        if best is not None and best.value is not None:
            found = f"best {best.accuracy:.2%} at {study.settings.objective.text(best.value)}"
        refused = ", ".join(f"{count} x {text}" for text, count in self._refusals.most_common(3))
        stopped = f"; stopped early: {self._stopped}" if self._stopped else ""
        return found + stopped + (f"; refused: {refused}" if refused else "")

    def _show(self, text: str, done: int, total: int) -> None:
        if self._task is None:
            self._task = self.progress.add_task(text, total=total)
        self.progress.update(self._task, description=text, completed=done, total=total)

    def _drop(self) -> None:
        if self._task is not None:
            self.progress.remove_task(self._task)
            self._task = None


def reason(refusal: str) -> str:
    """The kind of a refusal: its words before the first figure."""
    resource = re.match(r"[\d,]+ (.+?), ", refusal)
    if resource:
        return resource.group(1)
    said = re.sub(r"^(layer )?\S+: ", "", refusal)  # whatever layer it is
    return re.split(r"\d|=|:|;", said)[0].strip()
