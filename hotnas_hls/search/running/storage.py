"""Where a study is kept: SQLite by default, a journal file, or any database SQLAlchemy knows, by URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import SQLAlchemyError

from hotnas_hls.errors import ConfigError
from hotnas_hls.search.config import STORAGES, without_password

STUDY_NAME = "hotnas"
SQLITE_FILE, JOURNAL_FILE = "study.db", "study.journal"
JOURNAL_SCHEME = "journal:///"
LOCK_WAIT_S = 60  # for another process that writes to the same SQLite file
COMPLETED = "completed"  # user attribute of a study whose result was built
DRIVERS = {"postgresql": "psycopg2-binary", "mysql": "pymysql (and write mysql+pymysql://)"}

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class StudyPlace:
    """A study: the storage that holds it, and its name there."""

    url: str  # journal:///PATH, or SQLAlchemy's
    name: str = STUDY_NAME

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
        try:
            if self.url.startswith(JOURNAL_SCHEME):
                return JournalStorage(JournalFileBackend(str(self.file)))
            options = {"connect_args": {"timeout": LOCK_WAIT_S}} if self.url.startswith("sqlite") else {}
            return RDBStorage(self.url, engine_kwargs=options)
        except ImportError:
            kind = self.url.partition(":")[0].partition("+")[0]
            driver = DRIVERS.get(kind, f"the driver of {kind}")
            raise ConfigError(f"{self}: no driver for this database; pip install {driver}") from None
        except (SQLAlchemyError, OSError, ValueError) as reason:
            text = without_password(str(reason)).splitlines()[0]
            raise ConfigError(f"{self}: cannot be opened ({text}); check address and rights") from None

    def exists(self) -> bool:
        """True when the storage holds the study."""
        if self.file is not None and not self.file.exists():
            return False
        return self.name in optuna.get_all_study_names(self.open())

    def is_interrupted(self) -> bool:
        """True when the study was begun and its result was never built."""
        if not self.exists():
            return False
        study = optuna.load_study(study_name=self.name, storage=self.open())
        return not study.user_attrs.get(COMPLETED, False)

    def discard(self) -> None:
        """Remove the study; with its file, where that is its own."""
        if self.file is not None and self.name == STUDY_NAME:
            self.file.unlink(missing_ok=True)
        elif self.exists():
            optuna.delete_study(study_name=self.name, storage=self.open())


def study_place(storage: str, folder: Path) -> StudyPlace:
    """``sqlite`` or ``journal``: a file in the run's folder; else a URL, the study named after the folder."""
    sqlite, journal = STORAGES
    if storage == sqlite:
        return StudyPlace(f"sqlite:///{(folder / SQLITE_FILE).resolve()}")
    if storage == journal:
        return StudyPlace(f"{JOURNAL_SCHEME}{(folder / JOURNAL_FILE).resolve()}")
    return StudyPlace(storage, f"{STUDY_NAME}:{folder.as_posix()}")
