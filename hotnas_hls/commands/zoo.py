"""The networks that are known: list them, prove their import, or train one's shipped weights again."""

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
    prove = actions.add_parser("prove", help="import networks, and say how closely graph and module agree")
    prove.add_argument("networks", nargs="*", help="names of 'hotnas zoo list' (default: all)")
    train = actions.add_parser("train", help="train a network from scratch by its recipe, from a seed")
    train.add_argument("network", help="a name of 'hotnas zoo list' that has a recipe")
    train.add_argument("--seed", type=int, default=0, help="of weights and batches (default 0)")
    train.add_argument("--output", type=Path, help="file to write (default: among the package's weights)")


def run(args: argparse.Namespace) -> None:
    """List, prove or train."""
    require("torch")
    if args.action == "list":
        _list()
    elif args.action == "prove":
        _prove(args.networks)
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


def _prove(networks: list[str]) -> None:
    from hotnas_hls.errors import UnsupportedNetwork
    from hotnas_hls.frontends.source import load_model
    from hotnas_hls.models.zoo import ZOO

    width = max(map(len, ZOO))
    for name in networks or ZOO:
        try:
            proof = load_model(name).proof
        except UnsupportedNetwork as error:
            reason = str(error).split("\n")[0]
            print(f"{name:{width}}  refused: {reason}", flush=True)
        else:
            assert proof is not None
            cost = f"{proof.cpu_seconds:6.2f} CPU s  {proof.seconds:6.2f} s"
            print(f"{name:{width}}  {cost}  difference {proof.difference:.1e}", flush=True)


def _train(network: str, seed: int, output: Path | None) -> None:
    from hotnas_hls.models.train import Epoch, train_zoo_network

    def report(epoch: Epoch) -> None:
        print(
            f"epoch {epoch.number:3}  loss {epoch.loss:.4f}  validation {epoch.validation_accuracy:.4f}",
            flush=True,
        )

    path, accuracy = train_zoo_network(network, seed=seed, path=output, report=report)
    print(f"{path}: test accuracy {accuracy:.4f}")
