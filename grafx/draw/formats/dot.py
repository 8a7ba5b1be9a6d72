"""Graphs in the language of Graphviz."""

from collections.abc import Iterator, Mapping

import networkx as nx

from ..kinds import FEEDBACK, SEND, SIDECHAIN
from ..style import BACKWARD_COLOR, EDGE_COLOR, outline_color, text_color
from .description import EdgeDescription, GroupDescription, NodeDescription, describe

SHAPES = {"round": "box", "rounded": "box", "cut": "octagon", "sharp": "box", "leaf": "note"}
STYLES = {FEEDBACK: "dashed", SIDECHAIN: "dotted", SEND: "dashed"}


def to_dot(G: nx.MultiDiGraph, vertical: bool = False, *, settings: bool = False, groups: bool = True) -> str:
    r"""Write a graph in DOT, for Graphviz and all that reads it.

    Names of outlets and inlets that are not ``main`` stand at the ends of edges. Nodes have the attributes
    ``node_type`` and, if they have one, ``node_name``; edges have ``outlet`` and ``inlet``. In all texts a backslash is
    written as two, and a line break as ``\n``, as in labels of Graphviz.

    Args:
        G: The graph. It may be unfinished, disconnected, empty, or contain cycles.
        vertical: Signals flow from top to bottom.
        settings: Whether nodes have their settings and dry/wet weights, as attributes and tooltips.
        groups: Whether subgroups are clusters, as boxes in :func:`~grafx.draw.draw_grafx`.

    Returns:
        The text.

    Raises:
        GraphError: ``G`` is not a graph, or a node has no type.

    References:
        Graphviz, "DOT language", https://graphviz.org/doc/info/lang.html.

    Examples:
        >>> Path("graph.dot").write_text(to_dot(G), encoding="utf-8")
    """
    drawn = describe(G, "to_dot", settings, groups)
    lines = [
        "digraph grafx {",
        f'  graph [rankdir={"TB" if vertical else "LR"}, fontname="Helvetica", fontsize=10];',
        '  node [fontname="Helvetica", fontsize=10, height=0.36, width=0.36, margin="0.08,0.04"];',
        f'  edge [fontname="Helvetica", fontsize=8, color="{EDGE_COLOR}", arrowsize=0.7];',
        *_written({node.key: node for node in drawn.nodes}, drawn.top, "  ", iter(range(len(drawn.nodes) + 1))),
        *(f"  {edge.source} -> {edge.dest} [{_attributes(_of_edge(edge))}];" for edge in drawn.edges),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _written(
    nodes: Mapping[str, NodeDescription], group: GroupDescription, indent: str, numbers: Iterator[int]
) -> Iterator[str]:
    for key in group.keys:
        yield f"{indent}{key} [{_attributes(_of_node(nodes[key]))}];"
    for inner in group.groups:
        yield f"{indent}subgraph cluster_{next(numbers)} {{"
        yield f'{indent}  label={_label([inner.name])}; color="{EDGE_COLOR}"; style="rounded";'
        yield from _written(nodes, inner, indent + "  ", numbers)
        yield f"{indent}}}"


def _of_node(node: NodeDescription) -> dict[str, str]:
    rounded = node.shape in ("round", "rounded")
    attributes = {
        "label": _label(node.label),
        "node_type": _quoted(node.type),
        **({} if node.name is None else {"node_name": _quoted(node.name)}),
        "shape": SHAPES[node.shape],
        "style": _quoted("rounded,filled" if rounded else "filled"),
        "fillcolor": _quoted(node.fill),
        "color": _quoted(outline_color(node.fill)),
        "fontcolor": _quoted(text_color(node.fill)),
    }
    if node.settings:
        attributes |= {"settings": _quoted("\n".join(node.settings)), "tooltip": _label(node.settings)}
        attributes |= {} if node.wet is None else {"drywet_weight": f"{node.wet:.6g}"}
    return attributes


def _of_edge(edge: EdgeDescription) -> dict[str, str]:
    attributes = {"outlet": _quoted(edge.outlet), "inlet": _quoted(edge.inlet)}
    attributes |= {"taillabel": _label([edge.outlet])} if edge.outlet != "main" else {}
    attributes |= {"headlabel": _label([edge.inlet])} if edge.inlet != "main" else {}
    attributes |= {"style": STYLES[edge.kind]} if edge.kind else {}
    attributes |= {"color": _quoted(BACKWARD_COLOR)} if edge.kind == FEEDBACK else {}
    return attributes


def _attributes(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


def _label(lines: list[str]) -> str:
    """A text to show, in which Graphviz also looks for the entities of HTML."""
    return _quoted("\n".join(lines).replace("&", "&amp;"))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
