"""What the accelerator refuses of a network, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

# Operators often met, and what to do about them.
CURES: dict[tuple[str, ...], str] = {
    ("normalize", "rmsnorm"): "replace it by BatchNorm2d or GroupNorm",
    ("exp", "threshold", "thresholdedrelu", "hardshrink", "softshrink", "logsigmoid", "glu"): (
        "use another activation and fine-tune"
    ),
}
SUPPORTED = (
    "convolution, linear, batch norm, ReLU and other activations, max and average pooling, addition, "
    "multiplication, concatenation, nearest upsampling, transposed convolution, flatten"
)


def cure_for(operator: str) -> str:
    """Advice for an operator that the accelerator does not have."""
    plain = operator.replace("_", "").lower()
    cures = (cure for operators, cure in CURES.items() if plain in operators)
    return next(cures, f"build the network from {SUPPORTED}")


class Refused(Exception):
    """An operator that the accelerator cannot run: (reason, cure) for everything wrong with it."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__(problems)
        self.problems = problems


def times(sizes: Sequence[int]) -> str:
    """Sizes as messages show them: 3x8x8."""
    return "x".join(map(str, sizes))
