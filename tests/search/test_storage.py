"""Where studies are kept: SQLite, journal files, databases by URL."""

import importlib.util
import re
from pathlib import Path

import optuna
import pytest
import sqlalchemy

from hotnas_hls.errors import ConfigError, OutputRefused
from hotnas_hls.search.running.storage import STUDY_NAME, StudyPlace, study_place

from .toy_study import study


def test_names_are_files_of_the_folder(tmp_path):
    assert study_place("sqlite", tmp_path) == StudyPlace(f"sqlite:///{tmp_path}/study.db")
    assert study_place("journal", tmp_path).file == tmp_path / "study.journal"


def test_a_shared_database_holds_a_study_for_every_folder(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    one, two = (study_place(url, Path("runs") / name) for name in ("one", "two"))
    study(3, one).run()
    study(2, two).run()
    assert (one.name, two.name) == ("hotnas:runs/one", "hotnas:runs/two")
    one.discard()
    assert not one.exists() and two.exists()
    assert len(study(2, two, resume=True).outcomes) == 2


@pytest.mark.parametrize("storage", ["sqlite", "journal"])
def test_a_study_goes_on_where_it_stopped(tmp_path, storage):
    place = study_place(storage, tmp_path)
    assert not place.exists() and not place.is_interrupted()
    study(9, place).run()
    assert place.is_interrupted()
    resumed = study(16, place, resume=True)
    assert len(resumed.outcomes) == 9
    assert [o.candidate for o in resumed.run()] == [o.candidate for o in study(16).run()]
    place.complete()
    assert not place.is_interrupted()
    stored = optuna.load_study(study_name=STUDY_NAME, storage=place.open())
    assert [trial.number for trial in stored.trials] == list(range(16))
    place.discard()
    assert not place.exists()


def test_a_missing_driver_is_named():
    if importlib.util.find_spec("psycopg2") is not None:
        pytest.skip("psycopg2 is installed here, so that the driver of PostgreSQL is not missing")
    message = "postgresql://ada:***@host/studies: no driver for this database; pip install psycopg2-binary"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        StudyPlace("postgresql://ada:s3cret@host/studies").open()


@pytest.mark.parametrize(
    "url, words",
    [
        ("sqlite:////nowhere/at/all/study.db", "unable to open database file"),
        ("journal:////nowhere/at/all/study.journal", "No such file or directory"),
        ("nosuchbase://host/studies", "Can't load plugin: sqlalchemy.dialects:nosuchbase"),
    ],
)
def test_what_cannot_be_opened_says_why(url, words):
    with pytest.raises(ConfigError) as caught:
        StudyPlace(url).open()
    assert str(caught.value).startswith(f"{url}: ") and words in str(caught.value)


def test_half_a_line_of_a_journal_is_dropped_and_told(tmp_path):
    """What a full disk or a power cut leaves; the next line would make the whole journal unreadable."""
    place = study_place("journal", tmp_path)
    study(9, place).run()
    assert place.mend() is None
    whole = place.file.read_bytes()
    place.file.write_bytes(whole[:-40])
    told = f"{place.file}: half a line at its end is dropped (a disk was full, or the power cut)"
    assert place.mend() == told and place.mend() is None
    assert place.file.read_bytes() == whole[: whole[:-40].rindex(b"\n") + 1]
    assert [o.candidate for o in study(16, place, resume=True).run()] == [
        o.candidate for o in study(16).run()
    ]


def test_half_a_line_is_dropped_where_nobody_asks(tmp_path):
    place = study_place("journal", tmp_path)
    study(4, place).run()
    with place.file.open("ab") as journal:
        journal.write(b'{"op_code":4,')
    assert len(study(6, place, resume=True).run()) == len(study(6, place, resume=True).outcomes) == 6


def test_a_full_database_is_one_message_and_goes_on(tmp_path, monkeypatch):
    """SQLite's own limit on the pages of a file stands in for a full disk: the error is the same."""
    place = study_place("sqlite", tmp_path)
    study(2, place).run()
    pages = place.file.stat().st_size // 4096
    opened = optuna.storages.RDBStorage

    def small(url, engine_kwargs):
        storage = opened(url, engine_kwargs=engine_kwargs)

        @sqlalchemy.event.listens_for(storage.engine, "checkout")
        def limit(connection, *_):
            connection.execute(f"PRAGMA max_page_count = {pages}")

        return storage

    monkeypatch.setattr("hotnas_hls.search.running.storage.RDBStorage", small)
    full = study(200, place, resume=True)
    with pytest.raises(OutputRefused) as caught:
        full.run()
    message = str(caught.value)
    assert message.startswith(f"{place}: cannot be written (") and "database or disk is full" in message
    assert message.endswith("make room, or see to the storage, and run the same command again, it goes on")
    monkeypatch.undo()
    resumed = study(40, place, resume=True)
    assert len(full.outcomes) == len(resumed.outcomes) >= 2
    assert [o.candidate for o in resumed.run()] == [o.candidate for o in study(40).run()]
