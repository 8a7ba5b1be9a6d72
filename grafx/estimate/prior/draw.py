"""Graphs drawn from a prior."""

import math
from collections.abc import Mapping
from operator import index
from typing import Any

from ... import trees
from ...data import GRAFX
from ...data.configs import BUILT_IN_TYPES
from ...errors import EstimateError
from ...processors.controls import Leaf
from .kinds import Kind
from .prior import Prior
from .randomness import Draws
from .structures.builder import Builder


def draw_graph(prior: Prior, seed: int, attempt: int = 0) -> GRAFX:
    """Draw a graph with its settings; the same arguments give the same graph on every machine.

    Args:
        prior: The distribution.
        seed: Any whole number.
        attempt: Another number gives another graph, in place of one that cannot be used.

    Returns:
        A graph that can be rendered, with an ``in`` node for each dry sound. The attribute ``parameters`` of the other
        nodes has physical values by the names of controls, as :func:`.collect_parameters` takes them.
    """
    draws = Draws("structure", int(index(seed)), int(index(attempt)))
    structures = list(prior.structures.values())
    structure = draws.one_of(structures, [structure.weight for structure in structures])
    builder = Builder(prior.palette, draws, prior.max_nodes, prior.band_length)
    structure.build(builder)
    _set(prior, builder.G, int(index(seed)), int(index(attempt)))
    return builder.G


def draw_settings(prior: Prior, G: GRAFX, seed: int) -> GRAFX:
    """Draw new settings for a graph.

    Args:
        prior: The distribution.
        G: A graph of the prior's kinds, which stays as it is.
        seed: Any whole number.

    Returns:
        A copy with other settings.

    Raises:
        EstimateError: A node is of another kind.
    """
    copy = G.copy()
    _set(prior, copy, int(index(seed)), "new")
    return copy


def _set(prior: Prior, G: GRAFX, *key: Any) -> None:
    for rank, node in enumerate(sorted(G.nodes)):
        node_type = G.nodes[node]["node_type"]
        if node_type in BUILT_IN_TYPES:
            continue
        if node_type not in prior.kinds:
            raise EstimateError(
                f"Node {node} is of the type '{node_type}', but the prior '{prior.name}' has {', '.join(prior.kinds)}."
            )
        draws = Draws("settings", *key, rank)
        G.nodes[node]["parameters"] = _settings(prior.kinds[node_type], prior.leaves[node_type], draws)
        G.nodes[node].pop("settings", None)


def _settings(kind: Kind, leaves: Mapping[str, Leaf], draws: Draws) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, distribution in kind.controls.items():
        leaf = leaves[name]
        values = [distribution.draw(draws, leaf.control) for _ in range(math.prod(leaf.shape))]
        trees.put(settings, leaf.path, _shaped(values, leaf.shape) if leaf.shape else values[0])
    return settings


def _shaped(values: list[float], shape: tuple[int, ...]) -> list[Any]:
    if len(shape) == 1:
        return values
    size = math.prod(shape[1:])
    return [_shaped(values[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]
