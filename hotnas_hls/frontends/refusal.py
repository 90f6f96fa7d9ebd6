"""What the accelerator refuses of a network, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "not an operator of the accelerator"
MEASURES = "it divides by what it measures of each image, which no layer does"
NORMS = frozenset(
    "groupnorm groupnormalization layernorm layernormalization instancenorm instancenormalization rmsnorm "
    "rmsnormalization localresponsenorm lrn lpnormalization meanvariancenormalization normalize".split()
)

# Operators often met, and what to do about them.
CURES: dict[tuple[str, ...], str] = {
    ("exp", "threshold", "thresholdedrelu", "hardshrink", "softshrink", "logsigmoid", "glu"): (
        "use another activation and fine-tune"
    ),
    ("convtranspose", "convtranspose2d", "interpolate", "upsample", "resize", "pixelshuffle"): (
        "use layers that keep or shrink the map"
    ),
}
SUPPORTED = (
    "convolution, linear, batch norm, ReLU and other activations, max and average pooling, addition, "
    "concatenation, flatten"
)


def no_operator(operator: str) -> Refused:
    """The refusal of an operator that the accelerator does not have, with advice."""
    plain = operator.replace("_", "").lower()
    if plain in NORMS:
        return Refused((MEASURES, "replace it by BatchNorm2d and train again"))
    cures = (cure for operators, cure in CURES.items() if plain in operators)
    return Refused((UNKNOWN, next(cures, f"build the network from {SUPPORTED}")))


class Refused(Exception):
    """An operator that the accelerator cannot run: (reason, cure) for everything wrong with it."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__(problems)
        self.problems = problems


def times(sizes: Sequence[int]) -> str:
    """Sizes as messages show them: 3x8x8."""
    return "x".join(map(str, sizes))
