"""Every filter against the reader of its language: the name comes back, and nothing else happens."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import NAMES, PRINTED, UNPRINTED
from jinja2 import FunctionLoader
from markdown_it import MarkdownIt
from rich.console import Console
from rich.table import Table

import hotnas_hls
from hotnas_hls.base.escaping import FILTERS, Code, c, markdown, plain, terminal, word
from hotnas_hls.base.names import file_name_violation, name_violation
from hotnas_hls.base.terminal import text_console
from hotnas_hls.codegen.render import TEMPLATES, environment
from hotnas_hls.errors import ConfigError

needs_tclsh = pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh")


def bytes_of(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(("compiler", "suffix"), [("g++", "cpp"), ("gcc", "c")])
def test_compilers_read_the_names_back(tmp_path: Path, compiler: str, suffix: str):
    """As string literals and in both kinds of comments, trigraphs on; the literals are printed by length."""
    literals = "".join(f'  show("{c(name)}", sizeof("{c(name)}") - 1);  // {c(name)}\n' for name in NAMES)
    comments = "".join(f"/* {c(name)} */\n// {c(name)}\n" for name in NAMES)
    source = tmp_path / f"names.{suffix}"
    source.write_text(
        f"#include <stdio.h>\n{comments}"
        'static void show(const char *s, size_t n) { fwrite(s, 1, n, stdout); fputs("\\1\\1", stdout); }\n'
        f"int main(void) {{\n{literals}  return 0;\n}}\n"
    )
    program = tmp_path / "names"
    flags = ["-trigraphs", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([compiler, *flags, source, "-o", program], check=True)
    printed = subprocess.run([program], capture_output=True, check=True).stdout
    assert printed.split(b"\1\1")[:-1] == [bytes_of(name) for name in NAMES]


@needs_tclsh
def test_tcl_reads_each_as_one_word(tmp_path: Path):
    names = [name for name in NAMES if name != "\ud800"]  # Tcl keeps no half characters
    script = tmp_path / "names.tcl"
    show = "proc show n {puts [binary encode hex [encoding convertto utf-8 $n]]}\n"
    script.write_text(show + "\n".join(f"show {word(name)} ;# {word(name)}" for name in names))
    answer = subprocess.run(["tclsh", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = [bytes.fromhex(line).decode() for line in answer.stdout.splitlines()]
    wide = {name for name in names if max(map(ord, name)) >= 1 << 16}  # Tcl 8 has 16 bits a character
    assert [f for f, name in zip(found, names, strict=True) if name not in wide] == [
        name for name in names if name not in wide
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.tcl"]


def test_python_reads_the_names_back():
    for name in NAMES:
        assert ast.literal_eval(f'"{word(name)}"  # {word(name)}') == name


def test_markdown_shows_the_names_and_nothing_else():
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for name in PRINTED:
        tokens = reader.parse(f"| a | b |\n|---|---|\n| {markdown(name)} | `{markdown(name)}` |\n")
        cells = [token for token in tokens if token.type == "inline"]
        assert len(cells) == 4, name
        text, code = cells[2].children, cells[3].children
        shown = {token.type for token in text}
        assert shown <= {"text", "text_special", "em_open", "em_close"}, name  # _b_ may lean
        if "em_open" not in shown:
            assert "".join(token.content for token in text) == name.strip(), name
        assert [token.type for token in code] == ["code_inline"], name
        (paragraph,) = [t for t in reader.parse(f"x {markdown(name)}") if t.type == "inline"]
        assert not {"html_inline", "link_open", "image"} & {t.type for t in paragraph.children}, name
    assert all(len(markdown(name).splitlines()) == 1 for name in UNPRINTED)


@pytest.mark.parametrize("name", NAMES)
def test_languages_without_escapes_refuse(name: str):
    if re.fullmatch(r"[A-Za-z0-9_.,:/=+% -]*", name):
        assert plain(name) == name
    else:
        with pytest.raises(ConfigError, match="^.* cannot be written into a build file; do without "):
            plain(name)


def test_a_terminal_gets_nothing_that_steers_it():
    for name in NAMES:
        shown = terminal(name)
        assert all(letter.isprintable() or letter in "\n\t" for letter in shown)
        assert shown == name or name in UNPRINTED
    assert terminal("a\x1b[31mb\ud800\n") == "a\\x1b[31mb\\ud800\n"


def test_tables_show_names_as_they_are(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    for name in PRINTED:
        table = Table(title=name, show_footer=True)
        table.add_column(name, footer=name, no_wrap=True)
        table.add_row(name)
        console = text_console(200)
        console.print(table)
        console.print(name)
        shown = output.getvalue()
        assert shown.count(name) == 5, name
        output.seek(0), output.truncate()


def test_a_console_of_rich_reads_them_as_markup():
    """What the console of base/terminal is for."""
    with pytest.raises(Exception, match="closing tag"):
        Console(file=io.StringIO()).print("[/x]")


def test_every_template_has_the_filter_of_its_language():
    suffixes = {name.suffix or name.name for path in TEMPLATES.rglob("*.j2") for name in [Path(path.stem)]}
    assert suffixes - {".html"} <= set(FILTERS)


def test_tables_reach_the_terminal_by_one_way():
    sources = Path(hotnas_hls.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if "Console(" in path.read_text()] == ["terminal.py"]


def test_code_of_the_generator_passes():
    env = environment("hls").overlay()
    env.loader = FunctionLoader(lambda name: "{{ x }}")
    assert env.get_template("a.h").render(x='"?') == "\\042?"
    assert env.get_template("b.h").render(x=Code('"?')) == '"?'
    assert env.get_template("c.h").render(x=1.5) == "1.5"
    assert env.get_template("d.md").render(x="a|b") == "a&#124;b"
    assert env.get_template("e.html").render(x="<b>") == "&lt;b&gt;"
    assert env.get_template("f.tcl").render(x="[x]") == "\\u005bx\\u005d"


@pytest.mark.parametrize("name", UNPRINTED)
def test_names_that_do_not_print_are_none(name: str):
    assert name_violation(name).endswith(", which does not print; leave it out")


@pytest.mark.parametrize("name", PRINTED)
def test_everything_that_prints_is_a_name(name: str):
    assert name_violation(name) is None
    if name != "_b_":
        what = file_name_violation(name)
        assert what == f"{name!r}: use letters, digits, '_', '-' and '.', and no '.' in front"


def test_names_of_files():
    assert file_name_violation("digits-2.0_x") is None
    assert file_name_violation("x" * 300) == "'xxxxxxxxxxxxxxxxxxxx'... has 300 characters; use at most 100"
    assert file_name_violation(".x") is not None and file_name_violation("") is not None


def test_an_ascii_terminal_gets_escapes():
    plain_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "hotnas_hls", "boards", "Größe.yaml".encode()]
    answer = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ) | plain_locale)
    assert answer.stderr == "hotnas: Gr\\udcc3\\udcb6\\udcc3\\udc9fe.yaml: no such file\n"
    assert answer.returncode == 1
