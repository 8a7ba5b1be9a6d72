"""Graphs as flowcharts of Mermaid, which Markdown pages show."""

import re
from collections.abc import Iterator, Mapping

import networkx as nx

from ..kinds import FEEDBACK
from ..style import BACKWARD_COLOR, outline_color, text_color
from .description import GroupDescription, NodeDescription, describe

SHAPES = {"round": '(["{}"])', "rounded": '("{}")', "cut": '{{{{"{}"}}}}', "sharp": '["{}"]', "leaf": '[/"{}"/]'}
JOINER = "\u2060"
_SPECIAL = re.compile(r"[^\w \n]", re.ASCII)


def to_mermaid(G: nx.MultiDiGraph, vertical: bool = False, *, settings: bool = False, groups: bool = True) -> str:
    """Write a graph as a flowchart of Mermaid, for Markdown on GitHub, GitLab and in notebooks.

    Names of outlets and inlets that are not ``main`` are labels of edges. Feedbacks, sidechains and sends are dotted.
    Mermaid itself draws at most 500 edges, unless its ``maxEdges`` is set higher.

    Args:
        G: The graph. It may be unfinished, disconnected, empty, or contain cycles.
        vertical: Signals flow from top to bottom.
        settings: Whether nodes have their settings and dry/wet weights, below their names.
        groups: Whether subgroups are subgraphs, as boxes in :func:`~grafx.draw.draw_grafx`.

    Returns:
        The text; in Markdown it stands in a fence of the language ``mermaid``.

    Raises:
        GraphError: ``G`` is not a graph, or a node has no type.

    References:
        Mermaid, "Flowcharts syntax", https://mermaid.js.org/syntax/flowchart.html.
    """
    drawn = describe(G, "to_mermaid", settings, groups)
    nodes = {node.key: node for node in drawn.nodes}
    lines = [f"flowchart {'TB' if vertical else 'LR'}"]
    lines += _written(nodes, drawn.top, "  ", iter(range(len(nodes) + 1)))
    for edge in drawn.edges:
        arrow = "-.->" if edge.kind else "-->"
        label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
        lines.append(f"  {edge.source} {arrow}{label} {edge.dest}")
    feedbacks = [str(place) for place, edge in enumerate(drawn.edges) if edge.kind == FEEDBACK]
    lines += [f"  linkStyle {','.join(feedbacks)} stroke:{BACKWARD_COLOR}"] if feedbacks else []
    for place, node_type in enumerate(dict.fromkeys(node.type for node in drawn.nodes)):
        alike = [node for node in drawn.nodes if node.type == node_type]
        fill = alike[0].fill
        look = f"fill:{fill},stroke:{outline_color(fill)},color:{text_color(fill)}"
        lines += [f"  classDef type{place} {look}", f"  class {','.join(node.key for node in alike)} type{place}"]
    return "\n".join(lines) + "\n"


def _written(
    nodes: Mapping[str, NodeDescription], group: GroupDescription, indent: str, numbers: Iterator[int]
) -> Iterator[str]:
    for key in group.keys:
        node = nodes[key]
        text = "\n".join([*node.label, *node.settings])
        yield f"{indent}{key}{SHAPES[node.shape].format(_escaped(text))}"
    for inner in group.groups:
        yield f'{indent}subgraph group{next(numbers)}["{_escaped(inner.name)}"]'
        yield from _written(nodes, inner, indent + "  ", numbers)
        yield f"{indent}end"


def _escaped(text: str) -> str:
    """All that could mean something as the code of its character.

    Mermaid looks for line breaks and mathematics in what these codes say, too, so a word joiner, which is not seen,
    stands in them.
    """
    text = re.sub(r"\$(?=\$)|\\(?=n)", lambda match: match[0] + JOINER, text)
    coded = _SPECIAL.sub(lambda match: f"#{ord(match[0])};" if match[0].isascii() else match[0], text)
    return coded.replace("\n", "<br/>") or " "
