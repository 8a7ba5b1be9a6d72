"""The graph that people build and edit."""

import itertools
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import networkx as nx

from ..errors import GraphError
from .configs import NodeConfigs

Edge = tuple[int, int, dict[str, Any]]

_INVALID_OPS = ("error", "warn", "mute")


def _graph_attribute(name: str, doc: str, settable: bool = True) -> property:
    def get(self):
        return self.graph[name]

    def set_(self, value):
        if not settable:
            raise GraphError(f"{name} cannot be changed after construction: build a new GRAFX(config=...).")
        if name == "invalid_op":
            _check_invalid_op(value)
        self.graph[name] = value

    return property(get, set_, doc=doc)


def _check_invalid_op(invalid_op: str) -> None:
    if invalid_op not in _INVALID_OPS:
        raise GraphError(f"invalid_op must be one of {', '.join(_INVALID_OPS)}, not {invalid_op!r}.")


class GRAFX(nx.MultiDiGraph):
    """An audio processing graph: nodes are processors, edges are cables.

    It is a :class:`networkx.MultiDiGraph`. Every node has the attributes ``node_type``, ``parameters`` and ``name``,
    every edge ``outlet`` and ``inlet``. What belongs to the whole graph lives in ``G.graph`` and is also readable as
    a property here.

    Args:
        config: Which types may be added and what can be connected to them. Without one every type, inlet and outlet
            is accepted.
        invalid_op: What to do with an operation that is not valid: ``"error"`` raises a :class:`GraphError`,
            ``"warn"`` warns, ``"mute"`` says nothing. The graph stays as it was in all three cases.

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

    counter = _graph_attribute("counter", "The id that the next added node gets.")
    consecutive_ids = _graph_attribute("consecutive_ids", "Whether no node has been removed since numbering.")
    batch = _graph_attribute("batch", "Whether this is a disjoint union made by :func:`batch_grafx`.")
    config = _graph_attribute("config", "The :class:`NodeConfigs` given at construction.", settable=False)
    config_hash = _graph_attribute("config_hash", "Digest of the config's content.", settable=False)
    invalid_op = _graph_attribute("invalid_op", "What happens on an operation that is not valid.")
    rendering_order_method = _graph_attribute("rendering_order_method", "How the schedule was found, if it was.")
    type_sequence = _graph_attribute("type_sequence", "The node type of each step of the schedule, if there is one.")

    def add(self, node_type: str, parameters: Any = None, name: str | None = None) -> int | None:
        """Add a node and return its id.

        Args:
            node_type: One of the types in the config.
            parameters: Anything that belongs to the node; usually a dict of raw parameters without a batch axis.
            name: What people call it.

        Returns:
            The id, or ``None`` where the node was refused without an error.

        Raises:
            GraphError: The type is unknown, or the name not a string (with ``invalid_op="error"``).
        """
        problem = self._type_problem(node_type)
        if not problem and not isinstance(name, str | None):
            problem = f"The name of a {node_type} node must be a string, not {name!r}."
        if problem:
            return self.raise_warning(problem)
        node_id = next(i for i in itertools.count(self.counter) if i not in self)
        self.add_node(node_id, node_type=node_type, parameters=parameters, name=name)
        self.graph["counter"] = node_id + 1
        self._forget_schedule()
        return node_id

    def remove(self, node_id: int) -> tuple[list[Edge], list[Edge]] | None:
        """Remove a node together with its edges, and return those edges.

        Returns:
            ``(in_edges, out_edges)``, each a list of ``(source, dest, attributes)``.

        Raises:
            GraphError: There is no such node (with ``invalid_op="error"``).
        """
        if problem := self._missing_problem(node_id):
            return self.raise_warning(problem)
        edges = list(self.in_edges(node_id, data=True)), list(self.out_edges(node_id, data=True))
        self.remove_node(node_id)
        self.graph["consecutive_ids"] = False
        self._forget_schedule()
        return edges

    def connect(self, source_id: int, dest_id: int, outlet: str = "main", inlet: str = "main") -> int | None:
        """Run a cable from an outlet of one node to an inlet of another.

        Signals that meet at one inlet are summed.

        Returns:
            The networkx key of the edge (0 for the first between two nodes), or ``None`` where it was refused without
            an error.

        Raises:
            GraphError: A node, inlet or outlet does not exist, the edge is there already, or both ends are the same
                node (with ``invalid_op="error"``).
        """
        if problem := self._edge_problem(source_id, dest_id, outlet, inlet):
            return self.raise_warning(problem)
        self._forget_schedule()
        return self.add_edge(source_id, dest_id, outlet=outlet, inlet=inlet)

    def add_serial_chain(self, node_list: Iterable[str | Mapping[str, Any]]) -> tuple[int, int] | None:
        """Add nodes and connect each to the next, main outlet to main inlet.

        Args:
            node_list: Type names, or dicts of :meth:`add`'s arguments.

        Returns:
            The ids of the first and the last node.

        Raises:
            GraphError: The list is empty, a type is unknown, or two neighbours cannot be connected (with
                ``invalid_op="error"``). Nothing is added then.
        """
        if isinstance(node_list, (str, Mapping)) or not isinstance(node_list, Iterable):
            return self.raise_warning(f"A serial chain is a list of types or dicts, not {node_list!r}.")
        nodes = [dict(node) if isinstance(node, Mapping) else {"node_type": node} for node in node_list]
        if problem := self._chain_problem(nodes):
            return self.raise_warning(problem)
        ids = [self.add(**node) for node in nodes]
        for source_id, dest_id in itertools.pairwise(ids):
            self.connect(source_id, dest_id)
        return ids[0], ids[-1]

    def clear(self) -> None:
        """Remove all nodes and edges; the config and ``invalid_op`` stay."""
        self.__init__(config=self.config, invalid_op=self.invalid_op)

    def bypass(self, node_id: int) -> tuple[list[Edge], list[Edge]] | None:
        """Remove a node and connect everything that fed it to everything that it fed.

        Returns:
            The removed edges, as :meth:`remove` returns them.

        Raises:
            GraphError: There is no such node, it is an ``in`` or ``out`` node, or a source already feeds one of its
                destinations directly, which a second cable cannot express: insert a ``mix`` node there first (with
                ``invalid_op="error"``).
        """
        problem = self._missing_problem(node_id) or self._bypass_problem(node_id)
        if problem:
            return self.raise_warning(problem)
        sources, dests = self.remove(node_id)
        for source_id, _, source in sources:
            for _, dest_id, dest in dests:
                self.connect(source_id, dest_id, outlet=source["outlet"], inlet=dest["inlet"])
        return sources, dests

    def raise_warning(self, text: str) -> None:
        """Raise, warn of, or swallow ``text``, as :attr:`invalid_op` says."""
        if self.invalid_op == "error":
            raise GraphError(text)
        if self.invalid_op == "warn":
            warnings.warn(text, stacklevel=3)

    def _forget_schedule(self) -> None:
        if self.rendering_order_method is None:
            return
        self.graph.update(rendering_order_method=None, type_sequence=None)
        for _, data in self.nodes(data=True):
            data.pop("rendering_order", None)

    def _missing_problem(self, node_id: int) -> str | None:
        return None if node_id in self else f"Node {node_id} is not in the graph."

    def _type_problem(self, node_type: str) -> str | None:
        if not isinstance(node_type, str):
            return f"Invalid node_type: {node_type!r} is not a string."
        if self.config is not None and node_type not in self.config:
            return f"Invalid node_type: {node_type}, this graph only allows {self.config.node_types}."
        return None

    def _plug_problem(self, node: str, node_type: str, side: str, plug: str) -> str | None:
        if not isinstance(plug, str):
            return f"Provided {side}: {plug!r} of {node} is not a string."
        if self.config is None or plug in self.config[node_type][f"{side}s"]:
            return None
        return (
            f"Provided {side}: '{plug}' of {node}, while {node_type} only accepts {self.config[node_type][f'{side}s']}."
        )

    def _edge_problem(self, source_id: int, dest_id: int, outlet: str, inlet: str) -> str | None:
        if problem := self._missing_problem(source_id) or self._missing_problem(dest_id):
            return problem
        if source_id == dest_id:
            return f"Node {source_id} cannot be connected to itself: no self edge is allowed."
        for existing in (self.get_edge_data(source_id, dest_id) or {}).values():
            if existing == {"outlet": outlet, "inlet": inlet}:
                return f"{source_id} <{outlet}> -> {dest_id} <{inlet}>: existing edge."
        return self._plug_problem(
            f"node {source_id}", self.nodes[source_id]["node_type"], "outlet", outlet
        ) or self._plug_problem(f"node {dest_id}", self.nodes[dest_id]["node_type"], "inlet", inlet)

    def _chain_problem(self, nodes: list[dict[str, Any]]) -> str | None:
        if not nodes:
            return "A serial chain needs at least one node."
        for position, node in enumerate(nodes):
            where = f"node {position} of the chain"
            if unknown := [entry for entry in node if entry not in ("node_type", "parameters", "name")]:
                return f"Unknown entries {unknown} for {where}: use node_type, parameters, name."
            node_type = node.get("node_type")
            if problem := self._type_problem(node_type):
                return f"{problem} It is {where}."
            sides = ["inlet"] * (position > 0) + ["outlet"] * (position < len(nodes) - 1)
            for side in sides:
                if problem := self._plug_problem(where, node_type, side, "main"):
                    return problem
        return None

    def _bypass_problem(self, node_id: int) -> str | None:
        node_type = self.nodes[node_id]["node_type"]
        if node_type in ("in", "out"):
            return f"Node {node_id} is an '{node_type}' node, which cannot be bypassed: remove it instead."
        new_edges = set()
        for source_id, _, source in self.in_edges(node_id, data=True):
            for _, dest_id, dest in self.out_edges(node_id, data=True):
                if source_id == dest_id:
                    return f"Node {node_id} ({node_type}) cannot be bypassed: node {source_id} would feed itself."
                edge = (source_id, dest_id, source["outlet"], dest["inlet"])
                if edge in new_edges or self._edge_problem(*edge):
                    return (
                        f"Node {node_id} ({node_type}) cannot be bypassed: {source_id} <{source['outlet']}> would feed"
                        f" {dest_id} <{dest['inlet']}> twice. Insert a mix node on one of the ways."
                    )
                new_edges.add(edge)
        return None

    def __str__(self) -> str:
        lines = [f"GRAFX with {self.number_of_nodes()} nodes & {self.number_of_edges()} edges"]
        for node_id, data in self.nodes(data=True):
            dests = [self._describe_edge(*edge) for edge in self.out_edges(node_id, data=True)]
            arrow = f" -> {', '.join(dests)}" if dests else ""
            lines.append(f"  {self._describe_node(node_id, data)}{arrow}")
        return "\n".join(lines)

    def _describe_node(self, node_id: int, data: Mapping[str, Any]) -> str:
        name = f" '{data['name']}'" if data.get("name") else ""
        return f"[{node_id}] {data.get('node_type')}{name}"

    def _describe_edge(self, source_id: int, dest_id: int, data: Mapping[str, str]) -> str:
        outlet, inlet = data.get("outlet"), data.get("inlet")
        plugs = "" if outlet == inlet == "main" else f"<{outlet}> -> <{inlet}> "
        return f"{plugs}[{dest_id}] {self.nodes[dest_id].get('node_type')}"

    def _repr_svg_(self) -> str:
        # Drawing pulls in matplotlib, which nothing else here needs.
        from ..draw import grafx_to_svg

        return grafx_to_svg(self)
