"""Edits of a graph as plain data: each makes another graph, or says why not.

An edit is a dict with ``op`` and what belongs to it, see :data:`FIELDS`::

    {"op": "set", "node": 12, "path": ["threshold_db"], "value": -24.0}
    {"op": "insert", "type": "eq", "edge": [3, 12, 0]}
"""

from collections.abc import Callable, Mapping
from typing import Any

import networkx as nx
import torch
import torch.nn as nn

from ... import trees
from ...data import GRAFX, GraphError, NodeConfigs
from ...data.attributes import BYPASS, WEIGHT, Settings
from ...data.configs import BUILT_IN_TYPES
from ...data.refusals import remove_problem
from ...data.validate import describe
from ...parameters.settings import raw_row, settings_of, with_control
from ...processors.contract import contract_of
from ...processors.controls import shape_of
from ...render.check import Processors
from ...search.mixing.bypass import bypass, cut
from ...search.mixing.weighted import has_own_weight, passes_dry
from ...words import count

FIELDS: dict[str, dict[str, str]] = {
    "set": {"node": "an id", "path": "a list of names", "value": "a number"},
    "wet": {"node": "an id", "value": "a number"},
    "bypass": {"node": "an id", "on": "true or false"},
    "remove": {"node": "an id"},
    "insert": {"type": "a name", "edge": "two ids and a key"},
    "connect": {"source": "an id", "dest": "an id", "outlet": "a name", "inlet": "a name"},
    "disconnect": {"edge": "two ids and a key"},
}
"""What each kind of edit is given, and what that is."""

OPTIONAL = {"connect": {"outlet": "main", "inlet": "main"}}

_ENDS = {"in": "stands for a stem", "out": "is what is heard"}


def edited(G: GRAFX, edit: Mapping[str, Any], processors: Processors) -> GRAFX:
    """Copy a graph with an edit.

    Args:
        G: A graph of processors that hold their raw parameters, see :func:`prepared`.
        edit: What to change.
        processors: Node type to processor, for all types that the graph has and that are inserted.

    Returns:
        The other graph. Whatever did not change is shared, tensors in particular.

    Raises:
        GraphError: The edit is no edit, is not possible, or leaves a graph that cannot be rendered; the message says
            why.
        ParameterError: A value is out of the range of its control.
    """
    op, fields = _checked(edit)
    after = _with_type(G, fields["type"], processors) if op == "insert" else G.copy()
    _OPERATIONS[op](after, processors, **fields)
    if problems := after.validate():
        raise GraphError(problems[0])
    return after


def prepared(G: GRAFX, processors: Processors) -> GRAFX:
    """Copy a graph, so that each of its processors holds all of its raw parameters, and its settings.

    Raises:
        GraphError: There is no processor for a type, the graph cannot be rendered, or a node lacks its parameters.
        ParameterError: A control has a wrong name or value.
    """
    config = G.config
    if config is None:
        types = {data.get("node_type") for _, data in G.nodes(data=True)}
        config = NodeConfigs.from_processors({t: p for t, p in processors.items() if t in types})
    G = GRAFX.like(G, G.nodes(data=True), G.edges(keys=True, data=True), config)
    G.invalid_op = "error"
    G.forget_schedule()
    if problems := G.validate():
        raise GraphError(problems[0])
    for node, data in G.nodes(data=True):
        if (node_type := data["node_type"]) in BUILT_IN_TYPES:
            continue
        if node_type not in processors:
            raise GraphError(f"There is no processor for the type '{node_type}' of node {node}.")
        processor: Any = processors[node_type]
        raw = raw_row(processor, data, f"Node {node} of type '{node_type}'")
        if lacking := set(processor.parameter_size()) - set(raw):
            raise GraphError(
                f"Node {node} of type '{node_type}' holds no {', '.join(sorted(lacking))}: give it its parameters."
            )
        _hold(data, processor, raw)
    return G


def _with_type(G: GRAFX, node_type: str, processors: Processors) -> GRAFX:
    """Copy a graph, with a type in its config."""
    if node_type in G.config or node_type not in processors:
        return G.copy()
    known = {name: plugs for name, plugs in G.config.node_type_dict.items() if name not in BUILT_IN_TYPES}
    added = NodeConfigs.from_processors({node_type: processors[node_type]}).node_type_dict[node_type]
    return GRAFX.like(G, G.nodes(data=True), G.edges(keys=True, data=True), NodeConfigs({**known, node_type: added}))


# What an edit holds


def _checked(edit: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(edit, Mapping) or not isinstance(op := edit.get("op"), str) or op not in FIELDS:
        raise GraphError(f"An edit has an 'op', one of {', '.join(FIELDS)}, not {_shown(edit)}.")
    given = {**OPTIONAL.get(op, {}), **{name: value for name, value in edit.items() if name != "op"}}
    for name, kind in FIELDS[op].items():
        if name not in given or not _KINDS[kind](given[name]):
            raise GraphError(f"'{op}' needs '{name}', {kind}, not {_shown(given.get(name))}.")
    if unknown := sorted(map(str, set(given) - set(FIELDS[op]))):
        raise GraphError(f"'{op}' takes {', '.join(FIELDS[op])}, and no {', '.join(unknown)}.")
    return op, given


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _is_id(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30


_KINDS: dict[str, Callable[[Any], bool]] = {
    "an id": _is_id,
    "a name": lambda value: isinstance(value, str),
    "a list of names": lambda value: (
        isinstance(value, list) and bool(value) and all(type(v) in (str, int) for v in value)
    ),
    "a number": lambda value: all(_is_number(number) for number in trees.numbers(value)),
    "true or false": lambda value: isinstance(value, bool),
    "two ids and a key": lambda value: isinstance(value, list) and len(value) == 3 and all(map(_is_id, value)),
}


# Operations, on a copy


def _set(G: GRAFX, processors: Processors, node: int, path: list[str | int], value: Any) -> None:
    data, processor = _processor_at(G, processors, node)
    try:
        raw = with_control(processor, data["parameters"], path, value)
    except ValueError as error:
        raise type(error)(f"Node {describe(G, node)}: {str(error).rstrip('.')}.") from None
    _hold(data, processor, raw)


def _wet(G: GRAFX, processors: Processors, node: int, value: float) -> None:
    data, processor = _processor_at(G, processors, node)
    _check_weighted(G, processor, node)
    if not _is_number(value) or not 0 <= value <= 1:
        raise GraphError(f"The dry/wet weight of node {describe(G, node)} is {value!r}, but must lie within 0 to 1.")
    data[WEIGHT] = float(value)


def _bypass(G: GRAFX, processors: Processors, node: int, on: bool) -> None:
    data, processor = _processor_at(G, processors, node)
    _check_weighted(G, processor, node)
    data.pop(BYPASS, None)
    if on:
        data[BYPASS] = True


def _remove(G: GRAFX, processors: Processors, node: int) -> None:
    _check_there(G, node)
    node_type = G.nodes[node]["node_type"]
    if node_type in _ENDS:
        raise GraphError(f"Node {describe(G, node)} cannot be removed: it {_ENDS[node_type]}.")
    plugs = G.config[node_type]
    if not plugs["inlets"] or not plugs["outlets"] or not (G.in_degree(node) and G.out_degree(node)):
        G.remove(node)
    elif node_type == "mix":
        G.bypass(node)
    elif not passes_dry(processors[node_type]):
        cut(G, [node])
    else:
        bypass(G, node)


def _insert(G: GRAFX, processors: Processors, type: str, edge: list[int]) -> None:
    source, dest, cable = _cable(G, edge)
    if type not in processors and type != "mix":
        raise GraphError(f"There is no processor '{type}': there are {', '.join(sorted(processors))}.")
    node = G.insert(type, source, dest, cable["outlet"], cable["inlet"])
    data, owner = G.nodes[node], _owner(G, source)
    if owner is not None and type != "mix":
        data["owner"] = owner
    if type != "mix":
        _hold(data, processors[type], default_raw(processors[type]))


def _connect(G: GRAFX, processors: Processors, source: int, dest: int, outlet: str, inlet: str) -> None:  # noqa: ARG001
    if source in G and dest in G and source != dest and nx.has_path(G, dest, source):
        raise GraphError(
            f"Node {describe(G, dest)} feeds node {describe(G, source)} already: a cable back would close a cycle,"
            " which cannot be rendered."
        )
    G.connect(source, dest, outlet, inlet)


def _disconnect(G: GRAFX, processors: Processors, edge: list[int]) -> None:  # noqa: ARG001
    _cable(G, edge)
    G.remove_edge(*edge)
    G.forget_schedule()


_OPERATIONS: dict[str, Callable[..., None]] = {
    "set": _set,
    "wet": _wet,
    "bypass": _bypass,
    "remove": _remove,
    "insert": _insert,
    "connect": _connect,
    "disconnect": _disconnect,
}


def default_raw(processor: Any) -> dict[str, Any]:
    """Raw parameters of a processor at the defaults of its controls; zeros where it has none."""
    contract = contract_of(processor)
    if contract.controls:
        return trees.row(processor.dsp_to_raw({}, batch_size=1))
    return _zeros(contract.parameter_size())


def _zeros(sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {n: _zeros(s) if isinstance(s, Mapping) else torch.zeros(shape_of(s)) for n, s in sizes.items()}


def _hold(data: dict[str, Any], processor: nn.Module, raw: Any) -> None:
    """Give a node raw parameters, and the settings that describe them."""
    data["parameters"] = raw
    data.pop("settings", None)
    if settings := settings_of(processor, trees.batch(raw), 1)[0]:
        data["settings"] = Settings(settings, raw)


def _check_there(G: GRAFX, node: int) -> None:
    if problem := remove_problem(G, node):
        raise GraphError(problem)


def _processor_at(G: GRAFX, processors: Processors, node: int) -> tuple[dict[str, Any], nn.Module]:
    _check_there(G, node)
    data = G.nodes[node]
    if data["node_type"] in BUILT_IN_TYPES:
        raise GraphError(f"Node {describe(G, node)} is no processor, and has nothing to set.")
    return data, processors[data["node_type"]]


def _check_weighted(G: GRAFX, processor: nn.Module, node: int) -> None:
    if has_own_weight(processor):
        raise GraphError(f"Node {describe(G, node)} has a dry/wet control of its own: turn that.")
    if WEIGHT not in contract_of(processor).external_parameters():
        plugs = G.config[G.nodes[node]["node_type"]]
        has = f"{count(len(plugs['inlets']), 'inlet')} and {count(len(plugs['outlets']), 'outlet')}"
        raise GraphError(f"Node {describe(G, node)} has {has}: there is no dry signal to mix with, or to pass.")


def _cable(G: GRAFX, edge: list[int]) -> tuple[int, int, dict[str, Any]]:
    source, dest, key = edge
    if not G.has_edge(source, dest, key):
        raise GraphError(f"There is no cable {key} from node {source} to node {dest}.")
    return source, dest, G.edges[source, dest, key]


def _owner(G: GRAFX, node: int) -> str | None:
    """Whose chain goes on after a node."""
    data = G.nodes[node]
    owner = data.get("name" if data["node_type"] in BUILT_IN_TYPES else "owner")
    return owner if isinstance(owner, str) else None
