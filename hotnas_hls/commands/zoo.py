"""The networks that are known: list them, prove their import, or train one's shipped weights again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hotnas_hls.base.tools import require
from hotnas_hls.commands import Subparsers

GROUP = "explore"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas zoo``."""
    parser = subparsers.add_parser("zoo", description=__doc__)
    parser.set_defaults(networks=[], json=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listed = actions.add_parser("list", help="every network, its input and its classes (the default)")
    prove = actions.add_parser("prove", help="import networks, and say how closely graph and module agree")
    prove.add_argument("networks", nargs="*", help="names of 'hotnas zoo list' (default: all)")
    for either in (parser, listed, prove):
        either.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    train = actions.add_parser("train", help="train a network from scratch by its recipe, from a seed")
    train.add_argument("network", help="a name of 'hotnas zoo list' that has a recipe")
    train.add_argument("--seed", type=int, default=0, help="of weights and batches (default 0)")
    train.add_argument("--output", type=Path, help="file to write (default: among the package's weights)")


def run(args: argparse.Namespace) -> None:
    """List, prove or train."""
    require("torch")
    if args.action == "train":
        _train(args.network, args.seed, args.output)
    elif args.action == "prove":
        _prove(args.networks, args.json)
    else:
        _list(args.json)


def _list(as_json: bool) -> None:
    from hotnas_hls.api.zoo import weights_of, zoo

    known = zoo()
    if as_json:
        print(json.dumps(known.record(), indent=2))
        return
    width = max(map(len, known))
    for name, network in known.networks.items():
        shape, weights = "x".join(map(str, network.input)), weights_of(network)
        remark = f" ({weights})" if weights else ""
        print(f"{name:{width}}  {shape:9}  {network.classes:4}  {network.description}{remark}")


def _prove(networks: list[str], as_json: bool) -> None:
    from hotnas_hls.api.network import load_network
    from hotnas_hls.api.zoo import zoo
    from hotnas_hls.errors import UnsupportedNetwork

    known = zoo()
    width = max(map(len, known))
    records: dict[str, dict[str, Any]] = {}
    for name in networks or known:
        try:
            proof = load_network(name).proof
        except UnsupportedNetwork as error:
            reason = str(error).split("\n")[0]
            records[name], line = {"refused": reason}, f"refused: {reason}"
        else:
            assert proof is not None
            records[name] = {
                "cpu_seconds": round(proof.cpu_seconds, 2),
                "seconds": round(proof.seconds, 2),
                "difference": proof.difference,
            }
            cost = f"{proof.cpu_seconds:6.2f} CPU s  {proof.seconds:6.2f} s"
            line = f"{cost}  difference {proof.difference:.1e}"
        if not as_json:
            print(f"{name:{width}}  {line}", flush=True)
    if as_json:
        print(json.dumps(records, indent=2))


def _train(network: str, seed: int, output: Path | None) -> None:
    from hotnas_hls.api.zoo import Epoch, train_network

    def report(epoch: Epoch) -> None:
        print(
            f"epoch {epoch.number:3}  loss {epoch.loss:.4f}  validation {epoch.validation_accuracy:.4f}",
            flush=True,
        )

    path, accuracy = train_network(network, seed=seed, output=output, report=report)
    print(f"{path}: test accuracy {accuracy:.4f}")
