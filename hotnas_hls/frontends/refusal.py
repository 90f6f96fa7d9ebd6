"""What the accelerator refuses of a network, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "not an operator of the accelerator"

# Operators often met, and what to do about them.
CURES: dict[tuple[str, ...], str] = {
    (
        *("rmsnorm", "rmsnormalization", "meanvariancenormalization"),
    ): "replace it by BatchNorm2d or GroupNorm and train again",
    ("exp", "threshold", "thresholdedrelu", "hardshrink", "softshrink", "shrink", "tanhshrink"): (
        "use another activation and fine-tune"
    ),
    ("max", "min"): "end the network before it, or take the maximum over rows and columns (amax)",
    ("topk", "sort", "argsort", "nonmaxsuppression", "nms", "hardmax"): (
        "end the network before it, and let the program that reads the outputs do it"
    ),
}
SUPPORTED = (
    "convolution, linear, batch norm, ReLU and other activations, max and average pooling, addition, "
    "multiplication, concatenation, nearest upsampling, transposed convolution, flatten"
)


def no_operator(operator: str) -> Refused:
    """The refusal of an operator that the accelerator does not have, with advice."""
    plain = operator.replace("_", "").lower()
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
