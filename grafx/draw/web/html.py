"""A graph as a page of its own."""

import networkx as nx

from .page import page, read_asset
from .picture import picture

BODY = '<main id="graph"></main>\n<noscript>Scripts show this graph: allow them for this page.</noscript>'
STYLE = """\
html { background: var(--paper); }
body { margin: 0; padding: clamp(0.5rem, 2vw, 1.25rem); }
#graph .grafx-stage { max-block-size: calc(100vh - 9rem); }
"""
START = """\
grafx.viewer.create(document.getElementById("graph"), JSON.parse(document.getElementById("picture").textContent));
"""


def to_html(G: nx.MultiDiGraph, title: str | None = None) -> str:
    """Draw a graph as a page: one HTML text that needs nothing else, and opens anywhere.

    The drawing can be moved and zoomed, by hand and by keys, and searched; chains and groups fold; what is seen can
    be saved as SVG.

    Args:
        G: The graph.
        title: Title of the page; by default the size of the graph.

    Raises:
        GraphError: ``G`` is not a graph, or a node has no type.

    Examples:
        >>> Path("graph.html").write_text(to_html(G), encoding="utf-8")
    """
    drawn = picture(G)
    if title is None:
        title = f"Graph of {len(drawn['nodes'])} nodes and {len(drawn['edges'])} edges"
    styles = [read_asset("viewer.css"), STYLE]
    return page(title, BODY, {"picture": drawn}, styles, [read_asset("viewer.js"), START])
