"""A graph as a page of its own."""

import networkx as nx

from ...words import count
from ..draw import check_graph
from .page import page, read_asset
from .picture import picture

BODY = '<main id="graph"></main>\n<noscript>Scripts show this graph: allow them for this page.</noscript>'
STYLE = """\
html { background: var(--paper); }
body { margin: 0; }
.grafx-viewer { min-block-size: 100vh; block-size: 100vh; padding: clamp(0.5rem, 1.5vw, 1rem); }
.grafx-stage { block-size: auto; flex: 1 1 auto; min-block-size: 9rem; }
.grafx-list ol { max-block-size: 36vh; }
@media print { .grafx-viewer { block-size: auto; min-block-size: 0; } }
"""
START = """\
grafx.viewer.create(document.getElementById("graph"), JSON.parse(document.getElementById("picture").textContent));
"""


def to_html(G: nx.MultiDiGraph, title: str | None = None) -> str:
    """Draw a graph as a page: one HTML text that needs nothing else, and opens anywhere.

    The drawing can be moved and zoomed, by hand and by keys, and searched; chains and groups fold; what is seen can
    be saved as SVG. Pages of 1,000 nodes take about a second to make.

    Args:
        G: The graph. It may be unfinished, disconnected, empty, or contain cycles.
        title: Title of the page; by default the size of the graph.

    Raises:
        GraphError: ``G`` is not a graph, a node has no type, or the graph is too large to be laid out.

    Examples:
        >>> Path("graph.html").write_text(to_html(G), encoding="utf-8")
    """
    check_graph(G, "to_html")
    drawn = picture(G)
    if title is None:
        title = f"Graph of {count(len(drawn['nodes']), 'node')} and {count(len(drawn['edges']), 'edge')}"
    styles = [read_asset("viewer.css"), STYLE]
    return page(title, BODY, {"picture": drawn}, styles, [read_asset("viewer.js"), START])
