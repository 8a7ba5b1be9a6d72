"""Splits into training, validation and test, by what must not be in two of them."""

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from .. import trees
from ..choices import BY as BY
from ..data import GRAFX
from ..errors import EstimateError
from ..processors.contract import contract_of
from ..processors.controls import Control
from .prior import Prior, draw_settings
from .prior.distributions import ranges_of
from .seeds import seed_of
from .sounds import DrySounds

SPLITS = "train", "valid", "test"

PARTS = 10
"""Of ten parts one is for validation, one for the test, and eight for training."""
STRIPES = 3 * PARTS
"""Into how many ranges what is drawn of a control is divided."""
MOST_DRAWS = 1000


def check_split(split: str, by: str | None) -> None:
    """Refuse what is no split.

    Raises:
        EstimateError: The message has what is possible.
    """
    if split not in SPLITS:
        raise EstimateError(f"There is no split {split!r}: use one of {', '.join(SPLITS)}.")
    if by is not None and by not in BY:
        raise EstimateError(f"Data cannot be split by {by!r}: use one of {', '.join(BY)}, or None.")


def split_sounds(sounds: DrySounds, split: str) -> DrySounds:
    """The sounds of one split, at least one. No sound is in two.

    Raises:
        EstimateError: There are fewer than three.
    """
    check_split(split, None)
    if len(sounds) < len(SPLITS):
        raise EstimateError(
            f"{len(sounds)} sound(s) cannot be split into {', '.join(SPLITS)}: give at least {len(SPLITS)}, or split by"
            " structure or settings."
        )
    ranked = sorted(sounds.names, key=lambda name: sha256(name.encode("utf-8", "surrogateescape")).digest())
    few = max(1, len(ranked) // PARTS)
    parts = {"test": ranked[:few], "valid": ranked[few : 2 * few], "train": ranked[2 * few :]}
    return sounds.only(parts[split])


def split_of_structure(key: str) -> str:
    """The split of a structure, given by its key."""
    return _split_of_part(int.from_bytes(sha256(key.encode()).digest()[:8], "big") % PARTS)


def split_of_settings(prior: Prior, node_type: str, settings: Mapping[str, Any]) -> str | None:
    """The split of the settings of a node; None where nothing is drawn, so that nothing could be held back.

    What is drawn of each control is divided into ranges, whose numbers are summed: so each split has parts of what any
    control is set to, and combinations of settings that are close to each other are in one split.
    """
    numbers = []
    leaves = contract_of(prior.processors[node_type]).leaves()
    distributions = prior.kinds[node_type].controls
    for leaf in leaves:
        if leaf.name in distributions and (value := trees.at(settings, leaf.path)) is not None:
            ranges = ranges_of(distributions[leaf.name])
            low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
            if low < high:
                numbers += [int(STRIPES * _share(number, low, high, leaf.control)) for number in trees.numbers(value)]
    return _split_of_part(sum(numbers) % PARTS) if numbers else None


def confine_settings(prior: Prior, G: GRAFX, split: str, seed: int) -> None:
    """Draw settings of nodes again until all are of a split.

    Raises:
        EstimateError: A kind of node never has settings of it.
    """

    def others() -> list[int]:
        return [
            node
            for node, data in G.nodes(data=True)
            if data["node_type"] in prior.kinds
            and split_of_settings(prior, data["node_type"], data["parameters"]) not in (split, None)
        ]

    for attempt in range(MOST_DRAWS):
        if not (left := others()):
            return
        drawn = draw_settings(prior, G, seed_of("split", seed, attempt))
        for node in left:
            G.nodes[node]["parameters"] = drawn.nodes[node]["parameters"]
    node_type = G.nodes[left[0]]["node_type"]
    raise EstimateError(
        f"The prior '{prior.name}' cannot be split by settings: '{node_type}' never has settings for '{split}'. Let its"
        " controls have wider ranges, or split by sound or structure."
    )


def _split_of_part(part: int) -> str:
    return {0: "test", 1: "valid"}.get(part, "train")


def _share(value: float, low: float, high: float, control: Control) -> float:
    """Where a value is between two others on the scale of a control, from 0 to 1."""
    share = math.log(value / low) / math.log(high / low) if control.scale == "log" else (value - low) / (high - low)
    return min(max(share, 0.0), 1.0)
