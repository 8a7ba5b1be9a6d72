"""Cables of a graph, and what makes one valid: whoever takes a cable asks here and words the refusal."""

from collections.abc import Container, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import networkx as nx

from .configs import BUILT_IN_TYPES, NodeConfigs

Cable = tuple[Any, Any, Any, Any]
"""Source, destination, outlet and inlet."""

Edge = tuple[int, int, dict[str, Any]]
"""Source, destination and attributes."""

EdgeId = tuple[Hashable, Hashable, Hashable]
"""Source, destination and networkx key."""

KeyedEdge = tuple[Hashable, Hashable, Hashable, Mapping[str, Any]]
"""Source, destination, networkx key and attributes."""


class Fault(NamedTuple):
    """What is wrong with a cable.

    Attributes:
        kind: ``"missing"`` (there is no such node), ``"loop"`` (both ends are one node), ``"outlet"`` or ``"inlet"``
            (the node has none of that name), or ``"twice"``.
        node_id: The node that it concerns.
        names: The outlets or inlets that the node has; None where any text will do.
    """

    kind: str
    node_id: Any
    names: list[str] | None = None


def cable_faults(
    nodes: Mapping[Any, Mapping[str, Any]],
    config: NodeConfigs | None,
    cable: Cable,
    others: Container[Cable] = (),
) -> Iterator[Fault]:
    """All that is wrong with a cable.

    Args:
        nodes: Id to attributes, of which ``node_type`` counts. A type that the config lacks may have any plugs.
        config: The types; without one, all but those that are built in may have any plugs.
        cable: Its ends and plugs, of any kind.
        others: The cables that there are besides.
    """
    source_id, dest_id, outlet, inlet = cable
    if missing := [node_id for node_id in dict.fromkeys((source_id, dest_id)) if node_id not in nodes]:
        yield from (Fault("missing", node_id) for node_id in missing)
        return
    # Ids are compared as networkx does, by their hash first: some, as numpy's, do not compare with all others.
    if source_id in {dest_id}:
        yield Fault("loop", source_id)
    ends = (source_id, "outlet", outlet), (dest_id, "inlet", inlet)
    unfit = [
        Fault(side, node_id, plugs(config, node_type, side))
        for node_id, side, plug in ends
        if not fits(config, node_type := text(nodes[node_id], "node_type"), side, plug)
    ]
    yield from unfit
    if not unfit and cable in others:
        yield Fault("twice", dest_id)


def fits(config: NodeConfigs | None, node_type: str | None, side: str, plug: Any) -> bool:
    """Whether a type has such an ``"inlet"`` or ``"outlet"``."""
    names = plugs(config, node_type, side)
    return isinstance(plug, str) and (names is None or plug in names)


def plugs(config: NodeConfigs | None, node_type: str | None, side: str) -> list[str] | None:
    """The names of a type's ``"inlet"`` or ``"outlet"`` side; ``None`` where any name will do."""
    types = BUILT_IN_TYPES if config is None else config.node_type_dict
    return types[node_type][f"{side}s"] if node_type in types else None


def first_plug(config: NodeConfigs | None, node_type: str | None, side: str) -> str | None:
    """The inlet or outlet that the main signal takes; ``None`` where there is none."""
    names = plugs(config, node_type, side)
    return "main" if names is None else next(iter(names), None)


def text(data: Mapping[str, Any], name: str) -> str | None:
    """An attribute that should be a string, or ``None`` where it is none."""
    value = data.get(name)
    return value if isinstance(value, str) else None


def cables_between(G: nx.MultiDiGraph, source_id: Any, dest_id: Any) -> dict[Cable, Any]:
    """The cables from a node to another, with their networkx keys; the first of those that are there twice."""
    cables: dict[Cable, Any] = {}
    for key, data in (G.get_edge_data(source_id, dest_id) or {}).items():
        cables.setdefault((source_id, dest_id, text(data, "outlet"), text(data, "inlet")), key)
    return cables


def cables_around(G: Any, node_id: int) -> list[tuple[int, int, dict[str, Any]]]:
    """Return the edges of a bypass: from the sources of the first inlet to the destinations of the first outlet."""
    node_type = G.nodes[node_id]["node_type"]
    first_inlet, first_outlet = (first_plug(G.config, node_type, side) for side in ("inlet", "outlet"))
    return [
        (source_id, dest_id, {**after, "outlet": before["outlet"]})
        for source_id, _, before in G.in_edges(node_id, data=True)
        for _, dest_id, after in G.out_edges(node_id, data=True)
        if before["inlet"] == first_inlet and after["outlet"] == first_outlet
    ]
