"""The graph to build and edit."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from importlib import import_module
from numbers import Integral
from typing import Any

import networkx as nx

from ..errors import GraphError
from ..words import count, tally
from . import refusals
from .cables import Edge, cables_around, cables_between, first_plug
from .configs import NodeConfigs
from .validate import find_problems

MOST_LINES, LAST_LINES, MOST_CABLES = 60, 10, 8
"""How much of a large graph its text tells: nodes in all, those at the end among them, and cables of a node."""

_INVALID_OPS = ("error", "warn", "mute")
_OF_CONFIG = ("config", "config_hash")
_OF_NODES = ("counter", "consecutive_ids", "batch", "num_graphs", "rendering_order_method", "type_sequence")


def _graph_attribute(name: str, doc: str, settable: bool = True, compute: Callable | None = None) -> property:
    def get(self):
        return self.graph[name] if compute is None else compute(self)

    def set_(self, value):
        if not settable:
            raise GraphError(f"{name} cannot be changed after construction: build a new GRAFX(config=...).")
        if name == "invalid_op":
            _check_invalid_op(value)
        self.graph[name] = value

    return property(get, set_, doc=doc)


def _next_id(G: nx.MultiDiGraph) -> int:
    """Return the successor of the largest id. Nodes up to the last one added by :meth:`GRAFX.add` are known."""
    last, counter = vars(G).get("_last_added", (None, None))
    nodes = G._node.items()
    if counter == G.graph["counter"]:
        nodes = itertools.takewhile(lambda node: node[1] is not last, reversed(nodes))
    end = max((int(node_id) + 1 for node_id, _ in nodes if isinstance(node_id, Integral)), default=0)
    return next(i for i in itertools.count(max(G.graph["counter"], end)) if i not in G)


def _has_consecutive_ids(G: nx.MultiDiGraph) -> bool:
    return G.graph["consecutive_ids"] and all(i in G for i in range(len(G)))


def _check_invalid_op(invalid_op: str) -> None:
    if invalid_op not in _INVALID_OPS:
        raise GraphError(f"invalid_op must be one of {', '.join(_INVALID_OPS)}, not {invalid_op!r}.")


class GRAFX(nx.MultiDiGraph):
    """An audio processing graph: nodes are processors, edges are cables between them.

    It is a :class:`networkx.MultiDiGraph`. Every node has the attributes ``node_type``, ``parameters`` and ``name``,
    every edge ``outlet`` and ``inlet``. Attributes of the whole graph are in ``G.graph`` and are also readable as
    properties. Graphs that networkx derives from it (copies, subgraphs, unions, relabelled graphs) are ``GRAFX`` too;
    :meth:`validate` checks whether they can be rendered.

    Args:
        config: The allowed types with their inlets and outlets. Without one every type, inlet and outlet is accepted.
        invalid_op: Reaction to an invalid operation: ``"error"`` raises a :class:`GraphError`, ``"warn"`` warns,
            ``"mute"`` ignores it. The graph stays unchanged in all three cases.

    Examples:
        >>> G = GRAFX(config=NodeConfigs(["eq", "reverb"]))
        >>> G.add_serial_chain(["in", "eq", "reverb", "out"])
        (0, 3)
    """

    def __init__(self, config: NodeConfigs | None = None, invalid_op: str = "error"):
        super().__init__()
        if config is not None and not isinstance(config, NodeConfigs):
            raise GraphError(f"config must be a NodeConfigs, not {type(config).__name__}: use NodeConfigs(...).")
        _check_invalid_op(invalid_op)
        self.graph.update(
            counter=0,
            consecutive_ids=True,
            batch=False,
            config=config,
            config_hash=None if config is None else config.content_hash,
            invalid_op=invalid_op,
            rendering_order_method=None,
            type_sequence=None,
        )

    @classmethod
    def like(
        cls, G: "GRAFX", nodes: Iterable | None = None, edges: Iterable = (), config: NodeConfigs | None = None
    ) -> "GRAFX":
        """Make a graph with the config, ``invalid_op`` and graph attributes of another.

        Args:
            G: The other graph.
            nodes, edges: What it holds, as :meth:`add_nodes_from` and :meth:`add_edges_from` of networkx take it;
                attributes are copied. Without nodes, ids begin at 0 and there is no schedule; with them, what ``G``
                says about its nodes (counter, batch, schedule) is taken over, too.
            config: Another config than that of ``G``.

        Examples:
            >>> empty = GRAFX.like(G)
            >>> copy = GRAFX.like(G, G.nodes(data=True), G.edges(keys=True, data=True))
        """
        made = cls(config=G.config if config is None else config, invalid_op=G.invalid_op)
        others = _OF_CONFIG if nodes is not None else _OF_CONFIG + _OF_NODES
        made.graph.update((name, value) for name, value in G.graph.items() if name not in others)
        made.add_nodes_from(nodes or ())
        made.add_edges_from(edges)
        return made

    # networkx knows nothing of these two, and leaves in the graph attributes what was there.
    counter = _graph_attribute("counter", "The id that the next added node gets: above all others.", compute=_next_id)
    consecutive_ids = _graph_attribute(
        "consecutive_ids",
        "Whether the ids are 0, 1, … without a gap, and none was freed by a removal since they were given.",
        compute=_has_consecutive_ids,
    )
    batch = _graph_attribute("batch", "Whether this is a disjoint union made by :func:`batch_grafx`.")
    config = _graph_attribute("config", "The :class:`NodeConfigs` given at construction.", settable=False)
    config_hash = _graph_attribute("config_hash", "Digest of the config's content.", settable=False)
    invalid_op = _graph_attribute("invalid_op", "What happens on an operation that is not valid.")
    rendering_order_method = _graph_attribute("rendering_order_method", "How the schedule was found, if it was.")
    type_sequence = _graph_attribute("type_sequence", "The node type of each step of the schedule, if there is one.")

    def add(self, node_type: str, parameters: Any = None, name: str | None = None) -> int | Any:
        """Add a node and return its id.

        Args:
            node_type: One of the types in the config.
            parameters: Any object; usually a dict of raw parameters without a batch axis.
            name: A name for display.

        Returns:
            The id, or ``None`` if the node was refused without an error.

        Raises:
            GraphError: The type is unknown, or the name is not a string (with ``invalid_op="error"``).
        """
        if problem := refusals.add_problem(self, node_type, name):
            return self.raise_warning(problem)
        node_id = self.counter
        consecutive = self.graph["consecutive_ids"] and node_id == len(self)
        self.add_node(node_id, node_type=node_type, parameters=parameters, name=name)
        self.graph.update(counter=node_id + 1, consecutive_ids=consecutive)
        self._last_added = self.nodes[node_id], node_id + 1
        self.forget_schedule()
        return node_id

    def remove(self, node_id: int) -> tuple[list[Edge], list[Edge]] | None:
        """Remove a node together with its edges, and return those edges.

        Returns:
            ``(in_edges, out_edges)``, each a list of ``(source, dest, attributes)``.

        Raises:
            GraphError: The node does not exist (with ``invalid_op="error"``).
        """
        if problem := refusals.remove_problem(self, node_id):
            return self.raise_warning(problem)
        edges = list(self.in_edges(node_id, data=True)), list(self.out_edges(node_id, data=True))
        self.remove_node(node_id)
        self.consecutive_ids = False
        self.forget_schedule()
        return edges

    def connect(self, source_id: int, dest_id: int, outlet: str = "main", inlet: str = "main") -> int | None:
        """Connect an outlet of one node to an inlet of another.

        Signals that meet at one inlet are summed.

        Returns:
            The networkx key of the edge (0 for the first between two nodes), or ``None`` if it was refused without an
            error.

        Raises:
            GraphError: A node, inlet or outlet does not exist, the edge exists already, or both ends are the same node
                (with ``invalid_op="error"``).
        """
        if problem := refusals.connect_problem(self, source_id, dest_id, outlet, inlet):
            return self.raise_warning(problem)
        self.forget_schedule()
        return self.add_edge(source_id, dest_id, outlet=outlet, inlet=inlet)

    def add_serial_chain(self, node_list: Iterable[str | Mapping[str, Any]]) -> tuple[int, int] | Any:
        """Add nodes and connect each to the next, main outlet to main inlet.

        Args:
            node_list: Type names, or dicts of :meth:`add`'s arguments.

        Returns:
            The ids of the first and the last node.

        Raises:
            GraphError: The list is empty, a type is unknown, or two neighbours cannot be connected (with
                ``invalid_op="error"``). Nothing is added in this case.
        """
        if isinstance(node_list, (str, Mapping)) or not isinstance(node_list, Iterable):
            return self.raise_warning(f"A serial chain is a list of types or dicts, not {node_list!r}.")
        nodes = [dict(node) if isinstance(node, Mapping) else {"node_type": node} for node in node_list]
        if problem := refusals.chain_problem(self, nodes):
            return self.raise_warning(problem)
        ids = [self.add(**node) for node in nodes]
        for source_id, dest_id in itertools.pairwise(ids):
            self.connect(source_id, dest_id)
        return ids[0], ids[-1]

    def clear(self) -> None:
        """Remove all nodes and edges; the config and ``invalid_op`` stay."""
        self.__init__(config=self.config, invalid_op=self.invalid_op)

    def bypass(self, node_id: int) -> tuple[list[Edge], list[Edge]] | None:
        """Remove a node and connect the sources of its first inlet to the destinations of its first outlet.

        Edges at other inlets, such as a sidechain, and at other outlets are removed. The new edges keep the attributes
        of those that left the node, so that a bypass reverts an :meth:`insert`.

        Returns:
            The removed edges, as :meth:`remove` returns them.

        Raises:
            GraphError: The node does not exist, it has no inlet or no outlet (like ``in`` and ``out``), a source
                already feeds one of its destinations directly, which would duplicate an edge (insert a ``mix`` node
                first), or another outlet than the first is the only input of a node (with ``invalid_op="error"``).
        """
        if problem := refusals.bypass_problem(self, node_id):
            return self.raise_warning(problem)
        cables = cables_around(self, node_id)
        removed = self.remove(node_id)
        self.add_edges_from(cables)
        return removed

    def insert(
        self,
        node_type: str,
        source_id: int,
        dest_id: int,
        outlet: str = "main",
        inlet: str = "main",
        parameters: Any = None,
        name: str | None = None,
    ) -> int | None:
        """Insert a new node into an edge, at its first inlet and first outlet.

        Attributes of the edge stay with its second half, from the new node to ``dest_id``.

        Args:
            node_type: Type of the new node.
            source_id, dest_id: Ends of the edge.
            outlet, inlet: Outlet and inlet of the edge.
            parameters, name: As for :meth:`add`.

        Returns:
            The id of the new node.

        Raises:
            GraphError: The edge does not exist, or the type is unknown or has no inlet or no outlet (with
                ``invalid_op="error"``).
        """
        if problem := refusals.insert_problem(self, node_type, source_id, dest_id, outlet, inlet, name):
            return self.raise_warning(problem)
        key = cables_between(self, source_id, dest_id)[source_id, dest_id, outlet, inlet]
        attributes = dict(self.edges[source_id, dest_id, key])
        self.remove_edge(source_id, dest_id, key)
        node_id = self.add(node_type, parameters=parameters, name=name)
        first_inlet, first_outlet = (first_plug(self.config, node_type, side) for side in ("inlet", "outlet"))
        self.connect(source_id, node_id, outlet=outlet, inlet=first_inlet)
        self.add_edges_from([(node_id, dest_id, {**attributes, "outlet": first_outlet})])
        if "graph_index" in self.nodes[source_id]:
            self.nodes[node_id]["graph_index"] = self.nodes[source_id]["graph_index"]
        return node_id

    def replace(self, node_id: int, node_type: str, parameters: Any = None, name: str | None = None) -> int | None:
        """Change the processor type of a node; its id and edges stay.

        Args:
            node_id: The node.
            node_type: Its new type.
            parameters: Its new parameters. The parameters and ``settings`` of the old processor are removed in any
                case.
            name: Its new name; by default the old one, like all other attributes.

        Returns:
            ``node_id``.

        Raises:
            GraphError: The node does not exist, the type is unknown, or it lacks an inlet or outlet that an edge uses
                (with ``invalid_op="error"``).
        """
        if problem := refusals.replace_problem(self, node_id, node_type, name):
            return self.raise_warning(problem)
        name = self.nodes[node_id].get("name") if name is None else name
        self.nodes[node_id].update(node_type=node_type, parameters=parameters, name=name)
        self.nodes[node_id].pop("settings", None)
        self.forget_schedule()
        return node_id

    def merge(self, other: "GRAFX") -> dict[int, int] | None:
        """Add a copy of another graph, unconnected.

        Dicts and lists in attributes, such as parameters, are copied; the tensors in them are shared. Merging a graph
        with itself doubles it.

        Args:
            other: A graph whose types have the same inlets and outlets here. Its schedule is dropped.

        Returns:
            The new id of each node of ``other``. New ids follow the order of the old ones.

        Raises:
            GraphError: A type is unknown or has other inlets and outlets here, ``other`` is malformed, as raw networkx
                calls allow, or one of the two is a batch (with ``invalid_op="error"``).
        """
        if not isinstance(other, GRAFX):
            return self.raise_warning(f"merge takes a GRAFX, not a {type(other).__name__}.")
        if problem := refusals.merge_problem(self, other):
            return self.raise_warning(problem)
        edges = list(other.edges(data=True))
        new_ids = {}
        for node_id in sorted(other.nodes):
            data = _copy_containers(other.nodes[node_id])
            data.pop("rendering_order", None)
            new_ids[node_id] = self.add(data["node_type"])
            self.nodes[new_ids[node_id]].update(data)
        self.add_edges_from((new_ids[s], new_ids[d], _copy_containers(data)) for s, d, data in edges)
        return new_ids

    def validate(self) -> list[str]:
        """List all problems that prevent rendering.

        These are ids that are not integers, nodes without a known type, edges with missing ends, duplicate edges,
        self-loops, cycles, nodes without a signal at their first inlet, and a graph without ``out`` node. The graph is
        not changed, and nothing is raised.

        Returns:
            A message for each problem, which names the node, what was expected and the remedy; empty if the graph can
            be rendered.

        Examples:
            >>> G = GRAFX(config=NodeConfigs(["eq", "reverb"]))
            >>> eq, reverb = G.add_serial_chain(["eq", "reverb"])
            >>> G.connect(reverb, eq)
            0
            >>> for problem in G.validate():
            ...     print(problem)
            There is a cycle 0 (eq) -> 1 (reverb) -> 0 (eq), which renders in blocks only: remove one of its cables.
            The graph has no 'out' node: add one and connect to it what should be heard.
        """
        return find_problems(self, self.config)

    def __copy__(self) -> "GRAFX":
        return self.copy()

    def to_directed_class(self) -> type["GRAFX"]:
        """Return the class that networkx copies to."""
        return GRAFX

    def raise_warning(self, raisestring: str) -> None:
        """Raise, warn of, or ignore a message, according to :attr:`invalid_op`."""
        if self.invalid_op == "error":
            raise GraphError(raisestring)
        if self.invalid_op == "warn":
            warnings.warn(raisestring, stacklevel=3)

    def forget_schedule(self) -> None:
        """Remove the schedule, so that the graph can be edited in files; rendering finds a new one."""
        if self.rendering_order_method is None:
            return
        self.graph.update(rendering_order_method=None, type_sequence=None)
        for _, data in self.nodes(data=True):
            data.pop("rendering_order", None)

    def __repr__(self) -> str:
        size = f"{count(self.number_of_nodes(), 'node')}, {count(self.number_of_edges(), 'edge')}"
        types = tally(node_type for _, node_type in self.nodes(data="node_type"))
        return f"{type(self).__name__}({size}{types and ': '}{types})"

    def __str__(self) -> str:
        nodes = list(self)
        shown, left = nodes, 0
        if len(nodes) > MOST_LINES:
            shown, left = nodes[: MOST_LINES - LAST_LINES], len(nodes) - MOST_LINES
        lines = [f"GRAFX with {self.number_of_nodes()} nodes & {self.number_of_edges()} edges"]
        lines += [self._describe_node(node_id) for node_id in shown]
        if left:
            lines.append(f"  … {left} more")
            lines += [self._describe_node(node_id) for node_id in nodes[-LAST_LINES:]]
        return "\n".join(lines)

    def _describe_node(self, node_id: int) -> str:
        data = self.nodes[node_id]
        name = f" '{data['name']}'" if data.get("name") else ""
        edges = list(itertools.islice(self.out_edges(node_id, data=True), MOST_CABLES))
        dests = [self._describe_edge(dest, data) for _, dest, data in edges]
        if (left := self.out_degree(node_id) - len(edges)) > 0:
            dests.append(f"{left} more")
        return f"  [{node_id}] {data.get('node_type')}{name}" + (f" -> {', '.join(dests)}" if dests else "")

    def _describe_edge(self, dest_id: int, data: Mapping[str, str]) -> str:
        outlet, inlet = data.get("outlet"), data.get("inlet")
        plugs = "" if outlet == inlet == "main" else f"<{outlet}> -> <{inlet}> "
        return f"{plugs}[{dest_id}] {self.nodes[dest_id].get('node_type')}"

    def to_html(self, title: str | None = None) -> str:
        """Draw the graph as a page: one HTML text that needs nothing else, and opens anywhere.

        See :func:`grafx.draw.to_html`.

        Args:
            title: Title of the page; by default the size of the graph.

        Raises:
            GraphError: A node has no type, or the graph is too large to be laid out.

        Examples:
            >>> Path("graph.html").write_text(G.to_html(), encoding="utf-8")
        """
        return _drawing().to_html(self, title)

    def _repr_html_(self) -> str:
        return _drawing().notebook_html(self)

    def _repr_svg_(self) -> str | None:
        return _drawing().notebook_svg(self)


def _drawing() -> Any:
    """How graphs are drawn; imported by those methods alone that show them, as graphs need no drawing."""
    return import_module("grafx.draw.web")


def _copy_containers(value: Any) -> Any:
    if isinstance(value, dict):
        copied = copy(value)  # of the same kind
        copied.update((key, _copy_containers(item)) for key, item in value.items())
        return copied
    return [_copy_containers(item) for item in value] if isinstance(value, list) else value
