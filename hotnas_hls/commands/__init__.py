"""The sub-commands of ``hotnas``, one module each; a new module here is a new command.

A command module ``name_of_it.py`` becomes ``hotnas name-of-it`` and has

- a docstring whose first line is the summary in ``hotnas --help``,
- ``GROUP``, a key of :data:`hotnas_hls.cli.GROUPS`,
- ``add_parser(subparsers)``, which adds its parser by ``subparsers.add_parser("name-of-it",
  description=__doc__)`` and gives it arguments,
- ``run(args)``, which returns the exit status (``None`` is 0).

Only the module of the command that is run is imported; what is heavy (torch, cocotb, matplotlib) is
imported inside ``run``, so that ``hotnas --help`` stays quick.
"""

from __future__ import annotations

import argparse
from typing import TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
