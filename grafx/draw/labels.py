"""Texts in and above nodes, and on edges."""

from collections.abc import Hashable, Iterable, Mapping
from math import isfinite
from typing import Any

import networkx as nx

from ..data.attributes import WEIGHT, held_settings
from ..data.cables import EdgeId
from ..errors import GraphError
from ..parameters.words import node_lines
from ..text import printable
from ..trees import numbers
from .layout import find_chains, find_layers

LONGEST_TEXT = 40
LONGEST_INPUT = 20
THUMBNAIL = "thumbnail"
TEXTS = ("short_type", "node_type", "node_id", "name", "rendering_order", "chain", "level", "settings", "wet")
EDGE_TEXTS = ("wet", "level", "outlet", "inlet")
LEVELS = ("gain_db", "left_gain_db", "right_gain_db", "send_db")  # settings of what only changes the level
SEND = "send"


def parts(by: str | Iterable[str] | None) -> list[str]:
    """What is written together, one below another."""
    return [] if by is None else [by] if isinstance(by, str) else list(by)


def labels(
    G: nx.MultiDiGraph, by: str | Iterable[str] | None, shorts: Mapping[str, str], option: str
) -> dict[Hashable, str]:
    """The text of each node, empty where it has none.

    Args:
        G: The graph.
        by: One of :data:`TEXTS`, or an attribute; or several.
        shorts: Node type to short name.
        option: What to call it in messages.

    Raises:
        GraphError: No node has the attribute.
    """
    texts = [_texts(G, part, shorts, option) for part in parts(by)]
    return {n: "\n".join(text[n] for text in texts if text[n]) for n in G}


def with_inputs(G: nx.MultiDiGraph, inside: Mapping[Hashable, str], above: Mapping[Hashable, str]) -> dict:
    """Texts inside nodes, where inputs have their names in place of their type, or of nothing."""
    texts = dict(inside)
    for n, data in G.nodes(data=True):
        name = data.get("name")
        if data["node_type"] != "in" or not isinstance(name, str) or not name or texts[n] not in ("", "in"):
            continue
        if _as_text(name) not in above[n].split("\n"):
            texts[n] = _cut(printable(name), LONGEST_INPUT)
    return texts


def edge_labels(G: nx.MultiDiGraph, by: str | Iterable[str] | None, option: str) -> dict[EdgeId, str]:
    """The text of each edge, without those that have none.

    Args:
        G: The graph.
        by: One of :data:`EDGE_TEXTS`, or an attribute of edges; or several.
        option: What to call it in messages.

    Raises:
        GraphError: No edge has the attribute.
    """
    found: dict[EdgeId, list[str]] = {}
    for part in parts(by):
        values = _edge_values(G, part)
        if not values and part not in EDGE_TEXTS and G.number_of_edges():
            attributes = dict.fromkeys(a for *_, data in G.edges(data=True) for a in data)
            allowed = ", ".join(dict.fromkeys([*EDGE_TEXTS, *map(str, attributes)]))
            raise GraphError(f"{option}={part!r}: no edge has this attribute. Choose one of {allowed}, or None.")
        for edge, value in values.items():
            if text := _as_text(value):
                found.setdefault(edge, []).append(text)
    return {edge: ", ".join(texts) for edge, texts in found.items()}


def wet_text(data: Mapping[str, Any]) -> str | None:
    """The dry/wet share of a node: ``"60 %"``."""
    weight = data.get(WEIGHT)
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not isfinite(weight):
        return None
    return f"{100 * weight:.0f} %"


def level_text(data: Mapping[str, Any], outlet: str) -> str | None:
    """By how much what comes out of a gain, or a send, is louder: ``"−6 dB"``, or that of left and right."""
    settings = held_settings(data) or data.get("parameters")
    if not isinstance(settings, Mapping) or not settings or not set(settings) <= set(LEVELS):
        return None
    if set(settings) == {"send_db"} and outlet != SEND:
        return None
    try:
        levels = [f"{float(number):.2g}".replace("-", "−") for gain in settings.values() for number in numbers(gain)]
    except (TypeError, ValueError):
        return None
    levels = ["0" if level == "−0" else level for level in levels]
    return f"{' / '.join(levels if len(set(levels)) > 1 else levels[:1])} dB"


def _texts(G: nx.MultiDiGraph, by: str, shorts: Mapping[str, str], option: str) -> dict[Hashable, str]:
    values = _values(G, by, shorts)
    if G and not values and by not in ("name", "wet"):
        attributes = dict.fromkeys(a for _, data in G.nodes(data=True) for a in data if a not in TEXTS)
        allowed = ", ".join([*TEXTS, *map(str, attributes)])
        remedy = " Order the graph for rendering first." if by == "rendering_order" else ""
        raise GraphError(f"{option}={by!r}: no node has this attribute.{remedy} Choose one of {allowed}, or None.")
    return {n: _as_text(values.get(n)) for n in G}


def _values(G: nx.MultiDiGraph, by: str, shorts: Mapping[str, str]) -> Mapping[Hashable, Any]:
    if by == "node_id":
        return {n: n for n in G}
    if by == "short_type":
        return {n: shorts[data["node_type"]] for n, data in G.nodes(data=True)}
    if by == "settings":
        return {n: "\n".join(lines) for n, data in G.nodes(data=True) if (lines := node_lines(data))}
    attributes = {n: data[by] for n, data in G.nodes(data=True) if by in data}
    if by == "wet" and not attributes:
        return {n: text for n, data in G.nodes(data=True) if (text := wet_text(data))}
    if by in ("chain", "level") and not attributes:
        return find_chains(G) if by == "chain" else find_layers(G)
    return attributes


def _edge_values(G: nx.MultiDiGraph, by: str) -> dict[EdgeId, Any]:
    edges = {(u, v, key): data for u, v, key, data in G.edges(keys=True, data=True)}
    attributes = {edge: data[by] for edge, data in edges.items() if by in data}
    if attributes or by not in ("wet", "level"):
        return attributes
    texts = {
        edge: wet_text(G.nodes[edge[0]]) if by == "wet" else level_text(G.nodes[edge[0]], data.get("outlet", "main"))
        for edge, data in edges.items()
    }
    return {edge: text for edge, text in texts.items() if text}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    lines = [printable(line) for line in (f"{value:.4g}" if isinstance(value, float) else str(value)).split("\n")]
    return "\n".join(_cut(line, LONGEST_TEXT) for line in lines)


def _cut(line: str, longest: int) -> str:
    return line if len(line) <= longest else line[: longest - 1] + "…"
