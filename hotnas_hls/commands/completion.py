"""Print a completion script for a shell: commands, options, names of configurations and boards.

bash: hotnas completion bash > ~/.local/share/bash-completion/completions/hotnas

zsh: hotnas completion zsh > ~/.hotnas.zsh, and 'source ~/.hotnas.zsh' in ~/.zshrc

fish: hotnas completion fish > ~/.config/fish/completions/hotnas.fish
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import shlex
from dataclasses import dataclass

from hotnas_hls import commands
from hotnas_hls.boards.board import board_names
from hotnas_hls.commands import Subparsers

GROUP = "machine"
SHELLS = ("bash", "zsh", "fish")
EVERYWHERE = {
    "--help": "what it does",
    "--quiet": "results and errors only",
    "--verbose": "every program too",
}


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas completion``."""
    parser = subparsers.add_parser("completion", description=__doc__)
    parser.add_argument("shell", choices=SHELLS, help="the shell it is for")


def run(args: argparse.Namespace) -> None:
    """Print the script."""
    print(script(args.shell, described()), end="")


@dataclass(frozen=True)
class Described:
    """A command as a shell completes it."""

    name: str
    summary: str
    options: dict[str, str]  # long ones, and what each does
    words: tuple[str, ...]  # that may stand without an option


def described() -> list[Described]:
    """Every command, by name."""
    names = sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))
    found = []
    for name in names:
        module = importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}")
        subparsers = argparse.ArgumentParser().add_subparsers()
        module.add_parser(subparsers)
        actions = subparsers.choices[name]._actions
        options = {
            option: (action.help or "").split(";")[0].split(" (")[0]
            for action in actions
            for option in action.option_strings
            if option.startswith("--") and option != "--help"
        }
        words = [
            str(word) for action in actions if not action.option_strings for word in action.choices or ()
        ]
        summary = (module.__doc__ or "").strip().split("\n")[0].rstrip(".")
        found.append(Described(name, summary, options | EVERYWHERE, (*words, *_names(name))))
    return found


def _names(command: str) -> tuple[str, ...]:
    """Names that a command takes where a path may stand too."""
    from hotnas_hls.search.config import shipped_configs

    if command in ("search", "compare"):
        return tuple(shipped_configs())
    return tuple(name for name in board_names() if " " not in name) if command == "boards" else ()


def script(shell: str, known: list[Described]) -> str:
    """The script of a shell."""
    if shell == "fish":
        return "\n".join(_fish(known)) + "\n"
    head = ["autoload -U +X bashcompinit && bashcompinit"] if shell == "zsh" else []
    return "\n".join([*head, *_bash(known)]) + "\n"


def _bash(known: list[Described]) -> list[str]:
    quoted = [(o.name, shlex.quote(" ".join(o.options)), shlex.quote(" ".join(o.words))) for o in known]
    cases = [f"    {name}) options={options}; words={words} ;;" for name, options, words in quoted]
    return [
        "_hotnas() {",
        '  local current="${COMP_WORDS[COMP_CWORD]}" options="" words=""',
        "  if (( COMP_CWORD == 1 )); then",
        f'    COMPREPLY=($(compgen -W "{" ".join(one.name for one in known)}" -- "$current")); return',
        "  fi",
        '  case "${COMP_WORDS[1]}" in',
        *cases,
        "  esac",
        '  if [[ "$current" == -* ]]; then',
        '    COMPREPLY=($(compgen -W "$options" -- "$current"))',
        "  else",
        '    COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))',
        "  fi",
        "}",
        "complete -o filenames -F _hotnas hotnas",
    ]


def _fish(known: list[Described]) -> list[str]:
    lines = []
    for one in known:
        lines.append(
            f"complete -c hotnas -n __fish_use_subcommand -f -a {one.name} -d {shlex.quote(one.summary)}"
        )
        seen = f"complete -c hotnas -n '__fish_seen_subcommand_from {one.name}'"
        lines += [f"{seen} -l {name[2:]} -d {shlex.quote(text)}" for name, text in one.options.items()]
        if one.words:
            lines.append(f"{seen} -a {shlex.quote(' '.join(one.words))}")
    return lines
