"""Where a study is kept: SQLite by default, a journal file, or any database SQLAlchemy knows, by URL."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from hotnas_hls.base.names import article
from hotnas_hls.errors import ConfigError, OutputRefused
from hotnas_hls.search.config import STORAGES, without_password

STUDY_NAME = "hotnas"
SQLITE_FILE, JOURNAL_FILE = "study.db", "study.journal"
JOURNAL_SCHEME = "journal:///"
LOCK_WAIT_S = 60  # for another process that writes to the same SQLite file
JOURNAL_GRACE_S = 3  # a writer that holds a journal's lock so long was killed
COMPLETED = "completed"  # user attribute of a study whose result is on disk
SETTINGS = "settings"  # user attribute: what its accuracies depend on
FAILURES = (SQLAlchemyError, StorageInternalError, OSError)  # of a storage that cannot be written
DRIVERS = {"postgresql": "psycopg2-binary", "mysql": "pymysql (and write mysql+pymysql://)"}

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class StudyPlace:
    """A study: the storage that holds it, and its name there."""

    url: str  # journal:///PATH, or SQLAlchemy's
    name: str = STUDY_NAME
    given: BaseStorage | None = None  # one that is open already, and the caller's

    def __str__(self) -> str:
        return without_password(self.url)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite or journal storage."""
        for scheme in (JOURNAL_SCHEME, "sqlite:///"):
            if self.url.startswith(scheme):
                return Path(self.url.removeprefix(scheme))
        return None

    def open(self) -> BaseStorage:
        """The storage; ConfigError says what is wrong with the URL, or which driver it lacks."""
        if self.given is not None:
            return self.given
        try:
            if self.url.startswith(JOURNAL_SCHEME):
                self.mend()
                return JournalStorage(JournalFileBackend(str(self.file), self._journal_lock()))
            options = {"connect_args": {"timeout": LOCK_WAIT_S}} if self.url.startswith("sqlite") else {}
            return RDBStorage(self.url, engine_kwargs=options)
        except ImportError:
            kind = self.url.partition(":")[0].partition("+")[0]
            driver = DRIVERS.get(kind, f"the driver of {kind}")
            raise ConfigError(f"{self}: no driver for this database; pip install {driver}") from None
        except (*FAILURES, ValueError) as reason:
            raise ConfigError(
                f"{self}: cannot be opened ({_text(reason)}); check address and rights"
            ) from None

    def mend(self) -> str | None:
        """Drop the last line of a journal where a full disk or a power cut left half of it; what was done.

        The journal could not be read any more once another line follows.
        """
        path = self.file
        if not self.url.startswith(JOURNAL_SCHEME) or path is None or not _is_torn(path):
            return None
        lock = self._journal_lock()
        lock.acquire()
        try:
            if _is_torn(path):  # and nobody was in the middle of writing it
                os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        finally:
            lock.release()
        return f"{path}: half a line at its end is dropped (a disk was full, or the power cut)"

    def _journal_lock(self) -> JournalFileSymlinkLock:
        return JournalFileSymlinkLock(str(self.file), JOURNAL_GRACE_S)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """OutputRefused, with the cure, where the storage cannot be written."""
        try:
            yield
        except FAILURES as reason:
            raise OutputRefused(
                f"{self}: cannot be written ({_text(reason)}); every finished trial is stored: make room, or "
                "see to the storage, and run the same command again, it goes on"
            ) from reason

    def exists(self) -> bool:
        """True when the storage holds the study."""
        if self.file is not None and not self.file.exists():
            return False
        return self.name in optuna.get_all_study_names(self.open())

    def is_interrupted(self) -> bool:
        """True when the study was begun and its result is not on disk."""
        return self.exists() and not self.study().user_attrs.get(COMPLETED, False)

    def settings(self) -> dict[str, Any]:
        """What the accuracies of the study depend on; empty for a study that does not say."""
        return json.loads(self.study().user_attrs.get(SETTINGS, "{}"))

    def complete(self) -> None:
        """Mark the study as used up: what it found is on disk."""
        with self.writing():
            self.study().set_user_attr(COMPLETED, True)

    def trials(self) -> list[FrozenTrial]:
        """Every trial of the study."""
        return self.study().get_trials(deepcopy=False)

    def study(self) -> optuna.Study:
        """The study, as Optuna has it."""
        return optuna.load_study(study_name=self.name, storage=self.open())

    def discard(self) -> None:
        """Remove the study; with its file, where that is its own."""
        if self.file is not None and self.name == STUDY_NAME:
            self.file.unlink(missing_ok=True)
        elif self.exists():
            optuna.delete_study(study_name=self.name, storage=self.open())


def _text(reason: BaseException) -> str:
    """A storage's error in a line, in the database's own words where it is one's."""
    cause = reason.__cause__ if isinstance(reason, StorageInternalError) else reason
    return without_password(str(getattr(cause, "orig", None) or cause)).splitlines()[0]


def _is_torn(journal: Path) -> bool:
    """Whether the last line of a file has no end."""
    if not journal.is_file():
        return False
    with open(journal, "rb") as file:
        return file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read() != b"\n"


def place_of(study: object) -> StudyPlace:
    """The place of a study of the caller's; ConfigError for one of other objectives, or what is no study."""
    if not isinstance(study, optuna.Study):
        raise ConfigError(f"study: is {article(type(study).__name__)}; give an optuna.Study")
    wanted = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    if study.directions != wanted:
        directions = ", ".join(direction.name.lower() for direction in study.directions)
        raise ConfigError(
            f"study {study.study_name}: its directions are {directions}; a search wants accuracy up "
            "and latency down: optuna.create_study(directions=['maximize', 'minimize'])"
        )
    return StudyPlace(f"study {study.study_name}", study.study_name, study._storage)


def study_place(storage: str, folder: Path) -> StudyPlace:
    """``sqlite`` or ``journal``: a file in the run's folder; else a URL, the study named after the folder."""
    sqlite, journal = STORAGES
    if storage == sqlite:
        return StudyPlace(f"sqlite:///{(folder / SQLITE_FILE).resolve()}")
    if storage == journal:
        return StudyPlace(f"{JOURNAL_SCHEME}{(folder / JOURNAL_FILE).resolve()}")
    return StudyPlace(storage, f"{STUDY_NAME}:{folder.as_posix()}")
