"""A picture of the outline of a graph that is too large to be drawn: how many nodes of which type are where."""

import html
from collections import Counter
from collections.abc import Hashable, Iterator

import networkx as nx
import numpy as np

from ..text import printable
from .style import outline_color, type_color

WIDTH, HEIGHT = 640.0, 120.0  # pixels, at most
LAYER, NODE = 12.0, 6.0  # of a layer along the flow and a node across it, at most
MOST_COLUMNS = 160
MOST_TYPES = 12
LONGEST_NAME = 40
CHIP = "display:inline-block;width:.7em;height:.7em;background:"
OTHERS = "others", "#9ca3af"


def outline(G: nx.MultiDiGraph) -> str:
    """Draw the outline of a graph as HTML: an SVG of its layers from left to right, and a legend.

    Each column is as high as there are nodes in a layer, or on average in several, and divided by their types. The
    time grows with the number of nodes and edges alone.

    Args:
        G: The graph.
    """
    if not len(G):
        return ""
    layers = np.fromiter(depths(G).values(), int, len(G))
    names, colors, kinds = _types(G)
    count = int(layers.max()) + 1
    columns = min(count, MOST_COLUMNS)
    nodes = np.zeros((len(names), columns))
    np.add.at(nodes, (kinds, layers * columns // count), 1.0)
    nodes /= np.bincount(np.arange(count) * columns // count, minlength=columns)
    tallest = nodes.sum(axis=0).max()
    ends = np.vstack([np.zeros(columns), np.cumsum(nodes, axis=0)]) * min(NODE, HEIGHT / tallest)
    ends += (ends[-1].max() - ends[-1]) / 2  # around a line in the middle
    width, height = min(WIDTH, LAYER * count), ends.max()
    step = width / columns
    shapes = "".join(
        f'<path fill="{color}" stroke="{outline_color(color)}" stroke-width=".5" d="{_area(low, high, step)}"/>'
        for color, low, high in zip(colors, ends, ends[1:], strict=False)
    )
    size = f'viewBox="-1 -1 {width + 2:g} {height + 2:g}" width="{width + 2:.0f}" height="{height + 2:.0f}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="outline" {size}>{shapes}</svg>'
    legend = " ".join(
        f'<span style="{CHIP}{color};border:1px solid {outline_color(color)}"></span>'
        f" {html.escape(printable(name)[:LONGEST_NAME])}"
        for name, color in zip(names, colors, strict=True)
    )
    return f"<div>{svg}</div><div>{legend}</div>"


def depths(G: nx.MultiDiGraph) -> dict[Hashable, int]:
    """The first layer that each node may be in, whatever else is in it; cycles are opened where they are met first."""
    missing = {node: len(before) - (node in before) for node, before in G.pred.items()}
    depth = dict.fromkeys(missing, 0)
    ready = [node for node, number in missing.items() if number == 0]
    done = set(ready)
    rest = iter(missing)
    while len(done) <= len(missing):
        for node in ready:
            for following in G.succ[node]:
                if following in done:
                    continue
                depth[following] = max(depth[following], depth[node] + 1)
                missing[following] -= 1
                if missing[following] == 0:
                    done.add(following)
                    ready.append(following)
        opened = next((node for node in rest if node not in done), None)
        if opened is None:
            break
        done.add(opened)
        ready = [opened]
    return depth


def _types(G: nx.MultiDiGraph) -> tuple[list[str], list[str], np.ndarray]:
    """Names and colours of the most frequent types and of the others, and which each node has."""
    types = [str(node_type) for _, node_type in G.nodes(data="node_type")]
    counts = Counter(types)
    frequent = [name for name, _ in counts.most_common(MOST_TYPES)]
    shown = [name for name in counts if name in frequent]
    index = {name: k for k, name in enumerate(shown)}
    kinds = np.array([index.get(name, len(shown)) for name in types])
    names, colors = shown, [type_color(name) for name in shown]
    if len(counts) > len(shown):
        names, colors = [*names, OTHERS[0]], [*colors, OTHERS[1]]
    return names, colors, kinds


def _area(low: np.ndarray, high: np.ndarray, step: float) -> str:
    """The area between two lines that change at each column."""
    return "".join(
        f"M{step * first:.4g} {low[first]:.4g}"
        + _steps(low, range(first, last), step, ahead=True)
        + f"V{high[last - 1]:.4g}"
        + _steps(high, range(last - 1, first - 1, -1), step, ahead=False)
        + "z"
        for first, last in _runs(high - low > 1e-9)
    )


def _runs(there: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last column, exclusive, of each run of columns where something is."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    return zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)


def _steps(line: np.ndarray, columns: range, step: float, ahead: bool) -> str:
    """Follow a line through columns; where it does not change, in one go."""
    parts = []
    for column, following in zip(columns, [*columns[1:], None], strict=True):
        if following is None or abs(line[following] - line[column]) > 1e-9:
            parts.append(f"H{step * (column + ahead):.4g}")
            if following is not None:
                parts.append(f"V{line[following]:.4g}")
    return "".join(parts)
