"""Several graphs in one."""

from collections.abc import Sequence

from ..errors import GraphError
from .conversion import integer_ids
from .graph import GRAFX


def batch_grafx(G_list: Sequence[GRAFX]) -> GRAFX:
    """Unite graphs into one, unconnected.

    Rendering the union renders all of them at once, nodes of equal type together. The ids of each graph are shifted
    past those of the graphs before it.

    Args:
        G_list: Graphs of equal config.

    Returns:
        The union. Its nodes have the attribute ``graph_index``, the position of their graph in ``G_list``.

    Raises:
        GraphError: The list is empty, a graph is a batch itself, its ids are not integers, or the configs differ.
    """
    if isinstance(G_list, GRAFX):
        raise GraphError("batch_grafx takes a list of graphs, not a single one.")
    if not G_list:
        raise GraphError("batch_grafx needs at least one graph.")
    for index, G in enumerate(G_list):
        if G.batch:
            raise GraphError(f"Graph {index} is a batch already: batch all graphs at once.")
        if G.config != G_list[0].config:
            raise GraphError(f"Graph {index} has another config than graph 0: build all with one NodeConfigs.")
    union = GRAFX(config=G_list[0].config, invalid_op=G_list[0].invalid_op)
    for index, G in enumerate(G_list):
        ids = integer_ids(G)
        shift = union.counter - min([0, *ids])
        union.add_nodes_from((shift + i, {**_without_schedule(G.nodes[i]), "graph_index": index}) for i in ids)
        union.add_edges_from((shift + u, shift + v, data) for u, v, data in G.edges(data=True))
        union.counter = shift + G.counter
    union.batch = True
    union.graph["num_graphs"] = len(G_list)
    union.consecutive_ids = set(union.nodes) == set(range(union.counter))
    return union


def unbatch_grafx(G: GRAFX) -> list[GRAFX]:
    """Split a union into its graphs.

    Args:
        G: A graph returned by :func:`batch_grafx`, also after :func:`reorder_for_fast_render`.

    Returns:
        The graphs in their order. The ids of each are 0, 1, … in the order of the union.

    Raises:
        GraphError: ``G`` is not a batch, was converted to tensors and back, which drops the graph indices, or has
            nodes or edges that do not belong to a single graph.
    """
    if not G.batch or "num_graphs" not in G.graph:
        raise GraphError("This graph is not a batch: unbatch_grafx takes what batch_grafx returns.")
    for node_id, data in G.nodes(data=True):
        if "graph_index" not in data:
            raise GraphError(f"Node {node_id} belongs to no graph of the batch: set its attribute 'graph_index'.")
    for source_id, dest_id in G.edges():
        if G.nodes[source_id]["graph_index"] != G.nodes[dest_id]["graph_index"]:
            raise GraphError(f"Edge {source_id} -> {dest_id} joins two graphs of the batch: remove it first.")
    graphs = [GRAFX(config=G.config, invalid_op=G.invalid_op) for _ in range(G.graph["num_graphs"])]
    local: dict[int, int] = {}
    for node_id, data in sorted(G.nodes(data=True)):
        attributes = _without_schedule(data)
        graph = graphs[attributes.pop("graph_index")]
        local[node_id] = graph.add(attributes.pop("node_type"))
        graph.nodes[local[node_id]].update(attributes)
    for u, v, data in G.edges(data=True):
        graphs[G.nodes[u]["graph_index"]].add_edges_from([(local[u], local[v], data)])
    return graphs


def _without_schedule(data: dict) -> dict:
    return {key: value for key, value in data.items() if key != "rendering_order"}
