"""A full disk or a kill at any write of search, hls, sim, report and package: one message, nothing lost.

Every command is run again and again, with a fault at its first write, at its second, until one run needs no
more writes. What it computes is small or replaced; what it writes, and how, is not.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from faults import at_write, full, killed_at
from search.toy_study import SPACE, ToyObjective
from simulate.test_certificate import faked  # noqa: F401 (a fixture)
from small_designs import small_design

import hotnas_hls as hn
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import Bundle, verify
from hotnas_hls.errors import CallbackFailed, OutputRefused
from hotnas_hls.platforms.space import Candidate
from hotnas_hls.search import configure, problem, search
from hotnas_hls.search.evaluating.reward import RewardTargets
from hotnas_hls.search.running import storage
from hotnas_hls.search.running.study import SearchStudy, StudySettings
from hotnas_hls.search.telling import study_charts, summary
from hotnas_hls.simulate import flow

TRIALS = 2
PASSING = (".lock", ".journal")
MOST_WRITES = 200  # a command that writes more often is no longer small


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a design point."""
    folder = tmp_path_factory.mktemp("design")
    small_design().save(folder)
    return folder


@pytest.fixture(scope="module")
def whole_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package as it is generated."""
    folder = tmp_path_factory.mktemp("whole") / "small"
    flow.generate(small_design(), folder, images=2)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but locks, and journals, in which times and process ids stand."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: found[name].read_bytes() for name in sorted(found) if not name.endswith(PASSING)}


def try_faults(
    capsys: pytest.CaptureFixture,
    folder: Path,
    command: list[str],
    begin: Callable[[], None],
    check: Callable[[], None],
) -> int:
    """Run ``command`` on what ``begin`` makes in ``folder``, with a fault at each write in turn.

    After each fault ``check`` must hold, and the command run again ends as if nothing had been.
    Returns how many writes the command makes.
    """
    begin()
    assert main(command) == 0
    expected = files(folder)

    def again() -> None:
        check()
        capsys.readouterr()
        assert main(command) == 0, capsys.readouterr().err
        assert files(folder) == expected

    for number in range(1, MOST_WRITES):
        begin()
        capsys.readouterr()
        with at_write(number, folder, full) as seen:
            status = main(command)
        if len(seen) < number:
            break
        # Lines of progress come when a second is over, or do not.
        said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("[", "  "))]
        assert status == 1, f"the fault at {seen[number - 1]} was passed over"
        assert len(said) == 1 and said[0].startswith("hotnas: "), (seen[number - 1], said)
        assert "No space left" in said[0] or "the disk is full" in said[0], (seen[number - 1], said)
        again()
        begin()
        assert killed_at(number, folder, lambda: main(command))
        again()
    return number - 1


# ------------------------------------------------------------------ search
def toy_study(trials: int, subject: dict[str, str] | None = None, *where) -> SearchStudy:
    """Without torch, whose threads a forked process would wait for."""
    targets = RewardTargets(0.5, 1, 0.5, 1)
    settings = StudySettings(targets, 1.0, "random", trials, 1, subject=subject or {}, proposals=trials)
    return SearchStudy(SPACE, ToyObjective(), settings, *where)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A search whose trials cost nothing; study, files, locks and their order are the real ones."""
    known = SimpleNamespace(
        digests={"network.weights": "sha256 1", "network.data": "sha256 2"}, trials=TRIALS
    )

    def searched(_, platform, options, place, resume, reporter):
        known.study = toy_study(known.trials, known.digests, place, resume)
        outcomes = known.study.run(report=lambda outcome: reporter.outcome(outcome, known.study))
        design = dataclasses.replace(small_design(), config=dict(options.config))
        return SimpleNamespace(design=design, outcomes=outcomes)

    start = SimpleNamespace(graph=None, digests=lambda: known.digests)
    monkeypatch.setattr(problem, "load_problem", lambda settings: start)
    monkeypatch.setattr(configure, "platform_of", lambda config, graph, board: None)
    monkeypatch.setattr(search, "search", searched)
    told = {"trials": TRIALS, "accuracy_drop": 0.01}
    monkeypatch.setattr(summary, "summary_of", lambda result: told)
    monkeypatch.setattr(study_charts, "charts", lambda record: {"front.svg": b"<svg/>", "front.png": b"\x89"})
    monkeypatch.setattr("hotnas_hls.api.run.cost", lambda started, resumed: {})
    monkeypatch.setattr(storage, "JOURNAL_GRACE_S", 0.05)
    return known


def outcomes(folder: Path) -> list:
    """Candidates of the finished trials that a run's folder keeps."""
    place = storage.study_place("journal", folder)
    if not place.exists():
        return []
    stored = optuna.load_study(study_name=place.name, storage=place.open()).trials
    return [Candidate(trial.params) for trial in stored]


@pytest.mark.filterwarnings("ignore:The value of `grace_period`")
def test_search(toy, tmp_path: Path, capsys):
    folder = tmp_path / "run"
    command = ["search", "--output", str(folder), "--storage", "journal", "--json"]
    everything = [o.candidate for o in toy_study(TRIALS).run()]
    kept: list[int] = []

    def begin() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def check() -> None:
        kept.append(len(outcomes(folder)))
        assert outcomes(folder) == everything[: kept[-1]]
        if (folder / "design_point.json").is_file():
            assert DesignPoint.load(folder).network == "small" and kept[-1] == TRIALS

    assert try_faults(capsys, tmp_path, command, begin, check) > 20
    assert set(kept) == set(range(TRIALS + 1)), "there were faults after every number of finished trials"
    assert not storage.study_place("journal", folder).is_interrupted()


def test_a_finished_search_is_left_alone(toy, tmp_path: Path, capsys):
    command = ["search", "--output", str(tmp_path / "run"), "--storage", "journal", "--json"]
    assert main(command) == 0
    before, printed = files(tmp_path), capsys.readouterr().out
    journal = (tmp_path / "run" / "study.journal").read_bytes()
    toy.study = None
    assert main(command) == 0
    again = capsys.readouterr()
    assert again.out == printed and toy.study is None and files(tmp_path) == before
    assert (tmp_path / "run" / "study.journal").read_bytes() == journal
    assert "finished; nothing to do (--fresh starts anew)" in again.err
    assert main([*command, "--fresh"]) == 0 and len(toy.study.objective.trained) > 0


def test_a_finished_search_of_an_older_version_is_left_alone(toy, tmp_path: Path, capsys):
    command = ["search", "--output", str(tmp_path / "run"), "--storage", "journal", "--json"]
    assert main(command) == 0
    design = tmp_path / "run" / "design_point.json"
    record = json.loads(design.read_text())
    for name in ("platform", "technology", "objective"):  # keys that it did not have
        del record["config"][name]
    del record["config"]["bound"]["metrics"]
    design.write_text(json.dumps(record))
    toy.study = None
    assert main(command) == 0 and toy.study is None


def test_a_finished_search_of_another_kind_is_not_replaced(toy, tmp_path: Path, capsys):
    folder = tmp_path / "run"
    command = ["search", "--output", str(folder), "--storage", "journal"]
    assert main([*command, "--json"]) == 0
    before = files(tmp_path)
    capsys.readouterr()
    toy.digests = toy.digests | {"network.weights": "sha256 3"}
    assert main([*command, "--bound-ms", "0.5", "--trials", "9"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"hotnas: {folder}: holds a finished search of another kind; --resume goes on with more trials, "
        "--fresh discards it; or name another folder with --output:",
        "  - bound.latency_ms: 0.0078 there, 0.5 here",
        "  - search.trials: 20 there, 9 here",
        '  - network.weights: "sha256 1" there, "sha256 3" here',
    ]
    assert files(tmp_path) == before


def test_a_design_of_elsewhere_is_not_replaced(toy, tmp_path: Path, capsys):
    small_design().save(tmp_path)
    before = files(tmp_path)
    assert main(["search", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"hotnas: {tmp_path}/design_point.json: is there, and no study that led to it in sqlite:///{tmp_path}/"
        "study.db; --fresh discards it; or name another folder with --output\n"
    )
    assert files(tmp_path) == before


def test_more_trials_go_on_from_a_finished_search(toy, tmp_path: Path, capsys):
    command = ["search", "--output", str(tmp_path), "--storage", "journal", "--json"]
    assert main(command) == 0
    toy.trials = TRIALS + 2
    assert main([*command, "--trials", "21", "--resume"]) == 0
    assert len(toy.study.outcomes) == TRIALS + 2 and len(toy.study.objective.trained) <= 2


# ------------------------------------------------------------------ search, from Python
@pytest.mark.parametrize("fault", [ZeroDivisionError("by zero"), KeyboardInterrupt()], ids=["raises", "cell"])
def test_a_callback_that_raises_and_an_interrupted_cell_lose_nothing(toy, tmp_path: Path, fault):
    folder, seen = tmp_path / "run", []

    def fails(trial) -> None:
        raise fault

    kept = f"{folder}: finished trials are kept; the same c"
    with pytest.raises((CallbackFailed, KeyboardInterrupt)) as caught:
        hn.run_search(output=folder, callback=fails, quiet=True)
    if isinstance(fault, KeyboardInterrupt):
        assert caught.value is fault and fault.__notes__ == [f"{kept}ommand goes on with them"]
    else:
        told = f"the callback failed at trial 0 (ZeroDivisionError: by zero); {kept}all goes on with them"
        assert str(caught.value) == told and caught.value.__cause__ is fault
    run = hn.run_search(output=folder, callback=seen.append, quiet=True)
    assert [trial.number for trial in seen] == [1] and len(run.study.trials) == TRIALS
    assert hn.load_run(folder).summary == run.summary


def test_two_sessions_do_not_write_one_run(toy, tmp_path: Path):
    folder = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from hotnas_hls.base.writer import sole_writer\n"
        "with sole_writer(Path(sys.argv[1]), 'hotnas search'): print('held', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(OutputRefused) as caught:
        hn.run_search(output=folder, quiet=True)
    other.communicate("\n")
    assert str(caught.value) == (
        f"{folder}: hotnas search (process {other.pid} on {socket.gethostname()}) is at work there; wait "
        "until it ends, or name another folder"
    )
    assert not (folder / "design_point.json").exists()


def test_a_study_of_the_caller_keeps_the_trials(toy, tmp_path: Path):
    study = optuna.create_study(study_name="mine", directions=["maximize", "minimize"])
    run = hn.run_search(output=tmp_path, study=study, quiet=True)
    assert len(study.trials) == TRIALS == len(run.study.trials) and run.study.study_name == "mine"
    assert not (tmp_path / "study.db").exists()
    toy.study = None
    again = hn.run_search(output=tmp_path, study=study, quiet=True)
    assert toy.study is None and again.summary == run.summary


# ------------------------------------------------------------------ hls, sim, report, package
def tiny_package(point: DesignPoint, name: str, images: int) -> Bundle:
    bundle = Bundle(name, point.digest())
    bundle.add("src/top.cpp", f"// {images} images\n" * images)
    bundle.add("weights/image.bin", bytes(images))
    bundle.add("scripts/run.sh", "#!/bin/sh\n", executable=True)
    return bundle


def test_hls(design: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flow, "package", tiny_package)
    package = tmp_path / "out" / "p"
    command = ["hls", str(design), "--output", str(tmp_path / "out"), "--name", "p", "--images"]

    def begin() -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert main([*command, "1"]) == 0
        project = package / "hotnas_accel_hls" / "solution"
        project.mkdir(parents=True)
        (project / "report.rpt").write_text("8 hours of synthesis")
        (package / "src" / "NOTES.txt").write_text("mine")

    def check() -> None:
        """Either package is there, whole, with what others put into it; or hls puts it back first."""
        if package.exists():
            assert [line for line in verify(package) if not line.endswith(": added")] == []

    assert try_faults(capsys, tmp_path, [*command, "2"], begin, check) > 8
    assert (package / "src" / "top.cpp").read_text().startswith("// 2 images")
    assert verify(package) == ["hotnas_accel_hls/solution/report.rpt: added", "src/NOTES.txt: added"]


def test_sim(faked, whole_package: Path, tmp_path: Path, capsys, monkeypatch):  # noqa: F811
    package = tmp_path / "small"
    certificate = flow.certify(small_design(), tmp_path)
    monkeypatch.setattr(flow, "certify", lambda *_, **__: certificate)

    def begin() -> None:
        shutil.rmtree(package, ignore_errors=True)
        shutil.rmtree(tmp_path / ".build", ignore_errors=True)
        shutil.copytree(whole_package, package)

    def check() -> None:
        wrong = [line for line in verify(package) if not line.endswith(".part: added")]
        assert all(line.startswith("reports/") for line in wrong), wrong

    assert try_faults(capsys, tmp_path, ["sim", str(package), "--no-csim"], begin, check) > 5
    assert verify(package) == [] and (package / "reports" / "certificate.json").is_file()


def test_report(design: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    said = SimpleNamespace(record=lambda: {"network": "small"}, notes=())
    monkeypatch.setattr("hotnas_hls.report.write.assemble", lambda folder, run: said)
    monkeypatch.setattr("hotnas_hls.report.write.page", lambda data: "<html>")
    monkeypatch.setattr("hotnas_hls.report.write.markdown", lambda data: "# small")
    package = tmp_path / "p"

    def begin() -> None:
        shutil.rmtree(package, ignore_errors=True)
        tiny_package(small_design(), "p", 1).write(package)

    def check() -> None:
        wrong = [line for line in verify(package) if not line.endswith(".part: added")]
        assert all(line.startswith("reports/") for line in wrong), wrong

    assert try_faults(capsys, tmp_path, ["report", str(package)], begin, check) > 8
    assert verify(package) == [] and len(list((package / "reports").iterdir())) == 3


def test_package(tmp_path: Path, capsys):
    package = tiny_package(small_design(), "p", 1).write(tmp_path / "p")
    archive = tmp_path / "p.tar.gz"

    def check() -> None:
        assert verify(package) == [] and archive.read_bytes() == b"earlier" or archive.stat().st_size > 100

    assert try_faults(
        capsys, tmp_path, ["package", str(package)], lambda: bool(archive.write_bytes(b"earlier")), check
    )


# ------------------------------------------------------------------ one writer
@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["search", "--output", "{run}"], "run"),
        (["dse", "--model", "digits_resnet", "--array", "4x4", "--top", "1", "--save", "{run}"], "run"),
        (["report", "{run}"], "run"),
        (["hls", "{run}", "--output", "{out}", "--name", "p"], "out/p"),
        (["sim", "{out}/p", "--no-csim"], "out/p"),
        (["report", "{out}/p"], "out/p"),
        (["package", "{out}/p"], "out/p"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value.replace("/", "_"),
)
def test_a_second_writer_is_refused_at_once(tmp_path: Path, capsys, command: list[str], place: str):
    small_design().save(tmp_path / "run")
    tiny_package(small_design(), "p", 1).write(tmp_path / "out" / "p")
    before = files(tmp_path)
    places = {"run": tmp_path / "run", "out": tmp_path / "out"}
    status = []

    def second() -> None:  # a thread is another holder, as a process is
        status.append(main([word.format(**places) for word in command]))

    with sole_writer(tmp_path / place, "hotnas first"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert status == [1] and files(tmp_path) == before
    said = capsys.readouterr().err
    assert said.startswith(f"hotnas: {tmp_path / place}: hotnas first (process ")
    assert said.endswith(") is at work there; wait until it ends, or name another folder\n")
