"""The networks that ship: which there are, and how their weights are trained again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.base.arguments import checked
from hotnas_hls.base.notebook import Shown
from hotnas_hls.models.data import shipped_weights
from hotnas_hls.models.train import RECIPES, Epoch, train_zoo_network
from hotnas_hls.models.zoo import ZOO

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class ZooNetwork:
    """What is known of a network before it is loaded."""

    input: tuple[int, ...]  # channels, rows, columns; or features
    classes: int
    description: str
    weights_ship: bool  # others get random ones, or a checkpoint
    can_be_trained: bool  # by train_network


@dataclass(frozen=True, eq=False, repr=False)
class Zoo(Shown):
    """The networks by name; a loop over it gives the names."""

    networks: Mapping[str, ZooNetwork]

    def __iter__(self) -> Iterator[str]:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)

    def __contains__(self, name: object) -> bool:
        return name in self.networks

    def tables(self) -> Sequence[Table]:
        """A line a network."""
        from rich.table import Table

        table = Table(title="networks that ship")
        for head in ("name", "input", "classes", "", "weights"):
            table.add_column(head, justify="right" if head == "classes" else "left")
        for name, known in self.networks.items():
            shape = "x".join(map(str, known.input))
            table.add_row(name, shape, str(known.classes), known.description, weights_of(known))
        return (table,)

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {name: asdict(known) for name, known in self.networks.items()}


def weights_of(known: ZooNetwork) -> str:
    """What is known of a network's weights, in words."""
    told = ["weights ship"] * known.weights_ship + ["can be trained here"] * known.can_be_trained
    return ", ".join(told)


def zoo() -> Zoo:
    """The networks that are known."""
    return Zoo(
        {
            name: ZooNetwork(
                entry.input_shape,
                entry.classes,
                entry.description,
                shipped_weights(name) is not None,
                name in RECIPES,
            )
            for name, entry in ZOO.items()
        }
    )


@checked
def train_network(
    name: str,
    *,
    seed: int = 0,
    output: str | Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Path, float]:
    """Train a network of the zoo from scratch by its recipe; the file of its weights and the test accuracy.

    seed: of weights and batches; the same gives the same bytes on one machine. output: the file to write;
    None for the one among the package's own weights. report: is called after every epoch (its number from 1,
    mean loss, validation accuracy 0 to 1).
    Raises ConfigError for a network without a recipe.
    """
    return train_zoo_network(name, seed=seed, path=None if output is None else Path(output), report=report)
