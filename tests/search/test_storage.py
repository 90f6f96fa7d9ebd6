"""Where studies are kept: SQLite, journal files, databases by URL."""

import importlib.util
import re
from pathlib import Path

import optuna
import pytest

from hotnas_hls.errors import ConfigError
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
    resumed.complete()
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
