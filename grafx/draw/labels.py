"""Texts in and above nodes."""

from collections.abc import Hashable, Mapping
from typing import Any

import networkx as nx

from ..errors import GraphError
from ..parameters.words import node_lines
from ..text import printable
from .layout import find_chains, find_layers

LONGEST_TEXT = 40
TEXTS = ("short_type", "node_type", "node_id", "name", "rendering_order", "chain", "level", "settings")


def labels(G: nx.MultiDiGraph, by: str | None, shorts: Mapping[str, str], option: str) -> dict[Hashable, str]:
    """The text of each node, empty where it has none.

    Args:
        G: The graph.
        by: One of :data:`TEXTS`, or an attribute.
        shorts: Node type to short name.
        option: What to call it in messages.

    Raises:
        GraphError: No node has the attribute.
    """
    values = _values(G, by, shorts)
    if by is not None and G and not values and by != "name":
        attributes = dict.fromkeys(a for _, data in G.nodes(data=True) for a in data if a not in TEXTS)
        allowed = ", ".join([*TEXTS, *map(str, attributes)])
        remedy = " Order the graph for rendering first." if by == "rendering_order" else ""
        raise GraphError(f"{option}={by!r}: no node has this attribute.{remedy} Choose one of {allowed}, or None.")
    return {n: _as_text(values.get(n)) for n in G}


def _values(G: nx.MultiDiGraph, by: str | None, shorts: Mapping[str, str]) -> Mapping[Hashable, Any]:
    if by == "node_id":
        return {n: n for n in G}
    if by == "short_type":
        return {n: shorts[data["node_type"]] for n, data in G.nodes(data=True)}
    if by == "settings":
        return {n: "\n".join(lines) for n, data in G.nodes(data=True) if (lines := node_lines(data))}
    attributes = {n: data[by] for n, data in G.nodes(data=True) if by in data}
    if by in ("chain", "level") and not attributes:
        return find_chains(G) if by == "chain" else find_layers(G)
    return attributes


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    lines = [printable(line) for line in (f"{value:.4g}" if isinstance(value, float) else str(value)).split("\n")]
    return "\n".join(line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…" for line in lines)
