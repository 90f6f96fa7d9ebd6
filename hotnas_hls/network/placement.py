"""Concatenation by placement: who writes where, so that joining channels copies nothing.

Every concatenated value is a channel range of one *root* tensor. A concatenation whose members lie side
by side in a larger one (each step of a dense block) is a range of that one. A member that would have to
lie in two places is copied once into the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A channel range of a root tensor."""

    root: str
    offset: int


@dataclass(frozen=True)
class Copy:
    """``member`` must be copied to channels ``offset`` and up of ``root``."""

    name: str  # of the copy
    member: str
    root: str
    offset: int


@dataclass(frozen=True)
class Placement:
    """Where concatenated values lie: ``places`` of members and inner concatenations, and the copies."""

    places: Mapping[str, Place]
    roots: tuple[str, ...]
    copies: tuple[Copy, ...]


def place_concatenations(
    members: Mapping[str, Sequence[str]], channels: Mapping[str, int], fixed: Sequence[str] = ()
) -> Placement:
    """Place every concatenation.

    members: concatenation -> its inputs in order (other concatenations allowed), in definition order.
    channels: of every value. fixed: values that may not be moved into a tensor (those of the host).
    """
    leaves = {name: _leaves(name, members) for name in members}
    order = {name: position for position, name in enumerate(members)}
    places: dict[str, Place] = {}
    contents: dict[str, list[str]] = {}  # root -> its leaves in order, copies under their member's name
    copies: list[Copy] = []
    for name in sorted(members, key=lambda name: (len(leaves[name]), order[name]), reverse=True):
        inside = _range_of(leaves[name], contents, channels)
        if inside is not None and name not in fixed:
            places[name] = inside
            continue
        contents[name] = leaves[name]
        offset = 0
        for position, leaf in enumerate(leaves[name]):
            if leaf in places or leaf in fixed:
                copies.append(Copy(f"{name}.copy{position}", leaf, name, offset))
            else:
                places[leaf] = Place(name, offset)
            offset += channels[leaf]
    return Placement(places, tuple(contents), tuple(copies))


def _leaves(name: str, members: Mapping[str, Sequence[str]]) -> list[str]:
    """The values a concatenation is made of, inner concatenations opened."""
    if name not in members:
        return [name]
    return [leaf for member in members[name] for leaf in _leaves(member, members)]


def _range_of(
    leaves: Sequence[str], contents: Mapping[str, Sequence[str]], channels: Mapping[str, int]
) -> Place | None:
    """The range of a root where ``leaves`` already lie side by side; None where there is none."""
    for root, held in contents.items():
        for start in range(len(held) - len(leaves) + 1):
            if list(held[start : start + len(leaves)]) == list(leaves):
                return Place(root, sum(channels[leaf] for leaf in held[:start]))
    return None
