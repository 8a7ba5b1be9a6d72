"""Drawings of graphs, measured on what is really drawn."""

import itertools
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np

from . import graphs

SLACK = 0.02
"""Share of a node's height by which something may reach into it."""


def drawing(shape: str, arguments: dict[str, Any], options: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Draw a graph and save it as PNG.

    Args:
        shape: Name of a function of ``cases.graphs``.
        arguments: Its arguments.
        options: Arguments of ``draw_grafx``.

    Returns:
        With the processor time, the inches, the size of the smallest text in points, the number of nodes and edges,
        crossings of edges that share no node, edges that run through nodes, and pairs of nodes or of texts that
        overlap.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from grafx.draw import draw_grafx

    G = getattr(graphs, shape)(**arguments)
    found: dict[str, Any] = {}

    def run() -> dict[str, Any]:
        start = time.process_time()
        fig, ax = draw_grafx(G, **options)
        fig.savefig(BytesIO(), format="png")
        found["cpu"] = time.process_time() - start
        if "inches" not in found:
            found.update(_measured(fig, ax, G), nodes=G.number_of_nodes(), edges=G.number_of_edges())
        plt.close("all")
        return found

    return run


def _measured(fig: Any, ax: Any, G: Any) -> dict[str, Any]:
    boxes, curves = _ours(ax) if hasattr(fig, "_repr_svg_") else _theirs(ax, G)
    fig.draw_without_rendering()
    texts = [text.get_window_extent() for text in ax.texts if text.get_text()]
    return {
        "inches": [float(side) for side in fig.get_size_inches()],
        "smallest": min(float(text.get_fontsize()) for text in ax.texts),
        "crossings": _crossings(curves),
        "through": sum(_runs_through(curve, edge, boxes) for edge, curve in curves.items()),
        "overlaps": _overlaps(list(boxes.values())) + _overlaps([np.array(text.extents) for text in texts]),
    }


def _ours(ax: Any) -> tuple[dict[int, np.ndarray], dict[tuple, np.ndarray]]:
    """Node to left, bottom, right and top; and edge to its points."""
    named = {patch.get_gid(): patch.get_path() for patch in ax.patches if patch.get_gid()}
    boxes = {int(name[5:]): path.get_extents().extents for name, path in named.items() if name.startswith("node")}
    edges = {tuple(map(int, name.split("-")[1:])): path for name, path in named.items() if name.startswith("edge")}
    return boxes, {edge: _sampled(path) for edge, path in edges.items()}


def _sampled(path: Any) -> np.ndarray:
    steps = np.linspace(0, 1, 24)
    return np.concatenate([curve(steps) for curve, _ in path.iter_bezier()])


def _theirs(ax: Any, G: Any) -> tuple[dict[int, np.ndarray], dict[tuple, np.ndarray]]:
    """The same of GRAFX, whose nodes are rectangles and whose edges are lines, both in the order of the graph."""
    rectangles = [patch for patch in ax.patches if patch.get_width() < 1 and patch.get_height() < 1]
    to_data = ax.transData.inverted()
    boxes = {n: to_data.transform_bbox(box.get_window_extent()).extents for n, box in zip(G, rectangles, strict=False)}
    boxes = {n: np.sort(box.reshape(2, 2), axis=0).ravel() for n, box in boxes.items()}
    lines = [line.get_xydata() for line in ax.lines if len(line.get_xydata()) > 1]
    return boxes, dict(zip(G.edges(keys=True), lines, strict=True))


def _crossings(curves: Mapping[tuple, np.ndarray]) -> int:
    reach = {edge: (curve.min(axis=0), curve.max(axis=0)) for edge, curve in curves.items()}
    count = 0
    for a, b in itertools.combinations(curves, 2):
        shares = {a[0], a[1]} & {b[0], b[1]}
        if not shares and np.all(reach[a][0] <= reach[b][1]) and np.all(reach[b][0] <= reach[a][1]):
            count += _meetings(curves[a], curves[b])
    return count


def _meetings(one: np.ndarray, other: np.ndarray) -> int:
    """How often two lines of straight pieces cross."""
    p, r, q, s = one[:-1], np.diff(one, axis=0), other[:-1], np.diff(other, axis=0)

    def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]

    between, area = q[None] - p[:, None], cross(r[:, None], s[None])
    with np.errstate(divide="ignore", invalid="ignore"):
        t, u = cross(between, s[None]) / area, cross(between, r[:, None]) / area
    return int(np.sum((area != 0) & (t >= 0) & (t < 1) & (u >= 0) & (u < 1)))


def _runs_through(curve: np.ndarray, edge: tuple, boxes: Mapping[int, np.ndarray]) -> bool:
    """Whether an edge is seen inside a node that it does not end at."""
    for node, (left, bottom, right, top) in boxes.items():
        slack = SLACK * (top - bottom)
        if node not in edge[:2]:
            x, y = curve.T
            inside = (x > left + slack) & (x < right - slack) & (y > bottom + slack) & (y < top - slack)
            if inside.any():
                return True
    return False


def _overlaps(boxes: list[np.ndarray]) -> int:
    def overlap(a: np.ndarray, b: np.ndarray) -> bool:
        slack = SLACK * (a[3] - a[1])
        return bool(np.all(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) > slack))

    return sum(overlap(a, b) for a, b in itertools.combinations(boxes, 2))
