"""The networks that are known: list them, or train one's shipped weights again."""

from __future__ import annotations

import argparse
from pathlib import Path

from hotnas_hls.base.tools import require
from hotnas_hls.commands import Subparsers

GROUP = "explore"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas zoo``."""
    parser = subparsers.add_parser("zoo", description=__doc__)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="every network, its input and its classes")
    train = actions.add_parser("train", help="train a network from scratch by its recipe, from a seed")
    train.add_argument("network", help="a name of 'hotnas zoo list' that has a recipe")
    train.add_argument("--seed", type=int, default=0, help="of weights and batches (default 0)")
    train.add_argument("--output", type=Path, help="file to write (default: among the package's weights)")


def run(args: argparse.Namespace) -> None:
    """List or train."""
    require("torch")
    if args.action == "list":
        _list()
    else:
        _train(args.network, args.seed, args.output)


def _list() -> None:
    from hotnas_hls.models.train import RECIPES, WEIGHTS
    from hotnas_hls.models.zoo import ZOO

    width = max(map(len, ZOO))
    for name, entry in ZOO.items():
        shape = "x".join(map(str, entry.input_shape))
        notes = []
        if (WEIGHTS / f"{name}.safetensors").is_file():
            notes.append("weights ship")
        if name in RECIPES:
            notes.append("can be trained here")
        remark = f" ({', '.join(notes)})" if notes else ""
        print(f"{name:{width}}  {shape:9}  {entry.classes:4}  {entry.description}{remark}")


def _train(network: str, seed: int, output: Path | None) -> None:
    from hotnas_hls.models.train import Epoch, train_zoo_network

    def report(epoch: Epoch) -> None:
        print(
            f"epoch {epoch.number:3}  loss {epoch.loss:.4f}  validation {epoch.validation_accuracy:.4f}",
            flush=True,
        )

    path, accuracy = train_zoo_network(network, seed=seed, path=output, report=report)
    print(f"{path}: test accuracy {accuracy:.4f}")
