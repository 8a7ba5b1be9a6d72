"""What a notebook shows of a graph."""

import html

import networkx as nx

from ...errors import GraphError
from ...text import printable
from ..draw import grafx_to_svg
from ..outline import depths, outline
from .html import to_html

MOST_SHOWN = 400
"""Nodes of a graph that is drawn without being asked for."""
MOST_PASSED = 4000
"""Layers that its edges pass, in all."""
HEIGHT = 420
"""Of the frame, in pixels."""

_FRAME = (
    '<iframe srcdoc="{page}" title="{summary}" sandbox="allow-scripts allow-downloads"'
    ' style="display: block; width: 100%; height: {height}px; border: 0">{summary}</iframe>'
)


def notebook_html(G: nx.MultiDiGraph) -> str:
    """The page of a graph in a frame, or what it has and a picture of its outline where it is too large.

    The frame is a sandbox: its scripts do not reach the notebook. Where frames are left out, as on GitHub, a line of
    text is left.
    """
    summary = html.escape(printable(repr(G)))
    try:
        page = to_html(G) if is_shown(G) else None
    except GraphError as error:
        return f"<p>{summary}: {html.escape(printable(error))}</p>"
    if page is None:
        return f"<p>{summary}. Too large to be drawn here: <code>G.to_html()</code> makes a page of it.</p>{outline(G)}"
    return _FRAME.format(page=html.escape(page), summary=summary, height=HEIGHT)


def notebook_svg(G: nx.MultiDiGraph) -> str | None:
    """The drawing of a graph, or nothing where it is too large."""
    return grafx_to_svg(G) if is_shown(G) else None


def is_shown(G: nx.MultiDiGraph) -> bool:
    """Whether a graph is drawn by being displayed: it takes a second or two at most."""
    if len(G) > MOST_SHOWN or G.number_of_edges() > MOST_PASSED:
        return False
    depth = depths(G)
    return sum(abs(depth[v] - depth[u]) for u, v in G.edges()) <= MOST_PASSED
