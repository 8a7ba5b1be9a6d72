"""Graphs to tokens, and back."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import networkx as nx
import torch

from ... import trees
from ...data.attributes import held_settings
from ...data.conversion import convert_to_graph
from ...data.graph import GRAFX
from ...data.tensor import GRAFXTensor
from ...data.validate import find_problems
from ...errors import EstimateError
from ...processors.controls import TOLERANCE
from .canonical import canonical_order
from .grammar import Grammar
from .vocabulary import END, NodeType, Setting, Vocabulary


class TokenSequence(NamedTuple):
    """A graph as a sequence.

    Attributes:
        tokens: The tokens, with that of the end.
        settings: Of each node in the order of its token, the normalized values of the vocabulary's settings. Empty
            where tokens tell them, or nothing is said.
        vocabulary: The digest of the vocabulary; None where it is not known.
    """

    tokens: tuple[int, ...]
    settings: tuple[tuple[float, ...], ...] = ()
    vocabulary: str | None = None


def encode(G: nx.MultiDiGraph | GRAFXTensor, vocabulary: Vocabulary) -> TokenSequence:
    """Write a graph as a sequence of tokens.

    Isomorphic graphs of equal settings give equal sequences, and nothing of the structure is lost.

    Args:
        G: A valid graph: a :class:`~grafx.data.GRAFX`, another multigraph of networkx with the same attributes, or
            tensors. Its nodes have physical values of controls as ``parameters`` or ``settings``; others are at their
            default.
        vocabulary: The tokens.

    Raises:
        EstimateError: The graph has a type, outlet or inlet that the vocabulary lacks, too many nodes, a cycle or what
            else could not be rendered, or a setting that the vocabulary lacks or that is out of its range.
    """
    G = convert_to_graph(G) if isinstance(G, GRAFXTensor) else G
    order, settings = _ordered(G, vocabulary)
    types = {node_type.name: node_type for node_type in vocabulary.types}
    sources: dict[Any, int] = {}
    tokens: list[int] = []
    for node_id in order:
        node_type, name = types[G.nodes[node_id]["node_type"]], G.nodes[node_id].get("name")
        named = node_type.name == "in" and name in vocabulary.inputs
        tokens.append(vocabulary.kind_tokens[node_type.name, name if named else None])
        tokens += _cables(G, node_id, types, sources, vocabulary)
        if vocabulary.bins:
            tokens += (vocabulary.first_bin + part for part in settings[node_id])
        if node_type.outlets:
            sources[node_id] = len(sources)
    beside = () if vocabulary.bins else tuple(settings[node_id] for node_id in order)
    return TokenSequence((*tokens, END), beside, vocabulary.digest)


def decode(sequence: TokenSequence | Sequence[int], vocabulary: Vocabulary) -> GRAFX:
    """Read a graph from a sequence of tokens.

    Args:
        sequence: The tokens and settings, or tokens alone.
        vocabulary: The tokens.

    Returns:
        The graph, with ids in the order of the sequence. Nodes have the physical values of controls as ``parameters``,
        None where there are no settings.

    Raises:
        EstimateError: The sequence is of another vocabulary, has a token that may not be where it is, does not end, or
            has wrong settings. The message says where.
    """
    if not isinstance(sequence, TokenSequence):
        sequence = TokenSequence(tuple(sequence))
    if sequence.vocabulary not in (None, vocabulary.digest):
        raise EstimateError(
            f"The sequence is of the vocabulary {sequence.vocabulary}, not of {vocabulary.digest}: give the one that "
            "it was written with."
        )
    grammar = Grammar(vocabulary, dead_ends=True).extend(sequence.tokens)
    if not grammar.done:
        raise EstimateError(
            f"The sequence of {len(sequence.tokens)} tokens does not end with {vocabulary.tokens[END]}."
        )
    G, nodes = GRAFX(config=vocabulary.config), grammar.nodes
    for node_id, (node, values) in enumerate(zip(nodes, _values(grammar, sequence), strict=True)):
        # The grammar has checked all that GRAFX.add and GRAFX.connect would.
        G.add_node(node_id, node_type=node.type.name, parameters=values, name=node.name)
        for inlet, source, outlet in node.cables:
            G.add_edge(source, node_id, outlet=nodes[source].type.outlets[outlet], inlet=node.type.inlets[inlet])
    return G


def token_order(G: nx.MultiDiGraph, vocabulary: Vocabulary) -> list[Any]:
    """Return the ids of the nodes in the order of their tokens, in which :func:`decode` numbers them.

    So the ``in`` nodes of a decoded graph take the dry sounds of the given one in the order that they have here.

    Args:
        G: The graph, as for :func:`encode`.
        vocabulary: The tokens.

    Raises:
        EstimateError: As for :func:`encode`.
    """
    return _ordered(G, vocabulary)[0]


def settings_of(G: nx.MultiDiGraph, vocabulary: Vocabulary) -> dict[Any, tuple[float, ...]]:
    """Return the normalized values of the settings of each node, by its id.

    Args:
        G: The graph, with physical values as for :func:`encode`.
        vocabulary: Which settings there are, in which order and range.

    Raises:
        EstimateError: A setting is not one of the vocabulary's, or out of its range.
    """
    types = {node_type.name: node_type for node_type in vocabulary.types}
    return {node_id: _normalized(node_id, data, types[data["node_type"]]) for node_id, data in G.nodes(data=True)}


# Structure


def _ordered(G: nx.MultiDiGraph, vocabulary: Vocabulary) -> tuple[list[Any], dict[Any, tuple]]:
    """The order of the nodes, and what is told of their settings: normalized values, or parts of the range."""
    _check(G, vocabulary)
    settings: dict[Any, tuple] = settings_of(G, vocabulary)
    if bins := vocabulary.bins:
        settings = {i: tuple(min(int(norm * bins), bins - 1) for norm in own) for i, own in settings.items()}
    return canonical_order(G, vocabulary.inputs, settings), settings


def _check(G: Any, vocabulary: Vocabulary) -> None:
    if not isinstance(G, nx.MultiDiGraph):
        raise EstimateError(f"encode takes a GRAFX, or a MultiDiGraph of networkx, not a {type(G).__name__}.")
    if G.graph.get("batch"):
        raise EstimateError("A batch of graphs has no tokens: encode each graph of unbatch_grafx.")
    if problems := find_problems(G, vocabulary.config):
        more = f" There are {len(problems) - 1} more problems." if len(problems) > 1 else ""
        raise EstimateError(f"The graph has no tokens in this vocabulary: {problems[0]}{more}")
    if len(G) > vocabulary.max_nodes:
        raise EstimateError(
            f"The graph has {len(G)} nodes, but this vocabulary is for {vocabulary.max_nodes} at most: make it with a "
            "larger max_nodes."
        )


def _cables(
    G: nx.MultiDiGraph, node_id: Any, types: Mapping[str, NodeType], sources: Mapping[Any, int], vocabulary: Vocabulary
) -> list[int]:
    """The tokens of the cables to a node, without the one that goes without saying."""
    inlets = types[G.nodes[node_id]["node_type"]].inlets
    cables = sorted(
        (
            inlets.index(data["inlet"]),
            len(sources) - sources[source_id],
            types[G.nodes[source_id]["node_type"]].outlets.index(data["outlet"]),
            data["outlet"],
        )
        for source_id, _, data in G.in_edges(node_id, data=True)
    )
    first = [cable[:3] for cable in cables if cable[0] == 0]
    tokens, here = [], 0
    for inlet, steps, outlet, name in cables[1:] if first == [(0, 1, 0)] else cables:
        if inlet != here:
            tokens.append(vocabulary.inlet_tokens[inlets[inlet]])
            here = inlet
        tokens.append(vocabulary.first_pointer + steps - 1)
        if outlet:
            tokens.append(vocabulary.outlet_tokens[name])
    return tokens


# Settings


def _normalized(node_id: Any, data: Mapping[str, Any], node_type: NodeType) -> tuple[float, ...]:
    """The normalized values of a node's settings."""
    if not (node_type.settings or node_type.fixed or node_type.defaults):
        return ()
    given = _physical(node_id, data, node_type)
    known = {setting.name for setting in node_type.settings}
    for name, value in given.items():
        if name not in known:
            _check_other(node_id, node_type, name, value)
    return tuple(
        norm
        for setting in node_type.settings
        for norm in _norms(given.get(setting.name, setting.default), setting, f"Node {node_id} ({node_type.name})")
    )


def _physical(node_id: Any, data: Mapping[str, Any], node_type: NodeType) -> dict[str, Any]:
    """Control to value, by names with dots; without what belongs to raw tensors."""
    place = f"Node {node_id} ({node_type.name})"
    given: dict[str, Any] = {}
    for tree in (data.get("parameters"), held_settings(data)):
        if tree is not None and not hasattr(tree, "items"):
            raise EstimateError(f"{place} has the parameters {tree!r:.80}, not a dict.")
        given.update({".".join(map(str, path)): value for path, value in trees.items(tree or {})})
    told = [setting.name for setting in node_type.settings]
    names = {*told, *node_type.fixed, *node_type.defaults}
    raw = [name for name, value in given.items() if name not in names and isinstance(value, torch.Tensor)]
    if not raw:
        return given
    if missing := [name for name in told if name not in given]:
        raise EstimateError(
            f"{place} has the raw parameter {raw[0]}, but tokens tell physical values, and there is none of "
            f"{missing[0]}: give it those of processor.raw_to_dsp as its parameters."
        )
    return {name: value for name, value in given.items() if name in names}


def _check_other(node_id: Any, node_type: NodeType, name: str, value: Any) -> None:
    """Refuse a value that sequences cannot tell."""
    place = f"Node {node_id} ({node_type.name})"
    others = {**node_type.defaults, **node_type.fixed}
    if name not in others:
        has = ", ".join([*(setting.name for setting in node_type.settings), *others]) or "none"
        raise EstimateError(f"{place} has the setting {name}, but the vocabulary knows {has}.")
    expected, found = _flat(others[name]), _flat(value)
    if len(expected) == 1:
        expected *= len(found)
    if len(expected) != len(found) or not all(map(_is_close, expected, found)):
        raise EstimateError(
            f"{place} has {name} {value!r:.60}, which is always {others[name]!r:.60} in this vocabulary: remove the "
            "setting, or make the vocabulary of processors, Vocabulary.of(processors), which has all controls."
        )


def _is_close(value: Any, other: Any) -> bool:
    return isinstance(other, Real) and math.isclose(value, other, rel_tol=1e-4, abs_tol=1e-6)


def _norms(value: Any, setting: Setting, place: str) -> list[float]:
    numbers = _flat(value)
    if len(numbers) == 1 and setting.size > 1:
        numbers *= setting.size
    if len(numbers) != setting.size:
        raise EstimateError(f"{place}: {setting.name} has {len(numbers)} values, but must have {setting.size}.")
    margin = TOLERANCE * (setting.high - setting.low)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, Real):
            raise EstimateError(f"{place}: {setting.name} must be a number, not {number!r:.60}.")
        if not setting.low - margin <= float(number) <= setting.high + margin:
            within = f"{setting.low:g} to {setting.high:g}"
            raise EstimateError(f"{place}: {setting.name} is {float(number):g}, but must lie within {within}.")
    return [min(max(setting.to_norm(float(number)), 0.0), 1.0) for number in numbers]


def _flat(value: Any) -> list[Any]:
    return list(trees.numbers(value.tolist() if hasattr(value, "tolist") else value))


def _values(grammar: Grammar, sequence: TokenSequence) -> list[dict[str, Any] | None]:
    """The physical values of all nodes."""
    nodes, bins = grammar.nodes, grammar.vocabulary.bins
    if bins:
        norms = [tuple((part + 0.5) / bins for part in node.bins) for node in nodes]
    elif not sequence.settings:
        return [None] * len(nodes)
    else:
        norms = [tuple(_flat(own)) for own in sequence.settings]
    if len(norms) != len(nodes):
        raise EstimateError(f"The sequence has settings of {len(norms)} nodes, but tokens of {len(nodes)}.")
    return [read_norms(norms[i], node.type, f"Node {i} ({node.type.name})") for i, node in enumerate(nodes)]


def read_norms(norms: Sequence[Any], node_type: NodeType, place: str) -> dict[str, Any] | None:
    """Convert normalized values of a node to physical ones, nested as its parameters are; None without controls.

    Args:
        norms: The values, in the order of the type's settings.
        node_type: The type.
        place: The node, for messages.

    Raises:
        EstimateError: There are more or fewer, or one is not from 0 to 1.
    """
    if len(norms) != node_type.size:
        has = ", ".join(setting.name for setting in node_type.settings) or "none"
        raise EstimateError(f"{place} has {len(norms)} normalized values, but must have {node_type.size}: {has}.")
    values: dict[str, Any] = {}
    for name, value in node_type.fixed.items():
        trees.put(values, tuple(name.split(".")), _listed(value))
    start = 0
    for setting in node_type.settings:
        own, start = norms[start : start + setting.size], start + setting.size
        for norm in own:
            is_number = isinstance(norm, Real) and not isinstance(norm, bool)
            if not is_number or not -TOLERANCE <= float(norm) <= 1 + TOLERANCE:
                raise EstimateError(f"{place}: the normalized value of {setting.name} is {norm!r}, not from 0 to 1.")
        numbers = [setting.from_norm(min(max(norm, 0.0), 1.0)) for norm in own]
        trees.put(values, tuple(setting.name.split(".")), _nested(numbers, setting.shape))
    return values if values or node_type.defaults else None  # {} says that all is at its default


def _listed(value: Any) -> Any:
    return list(map(_listed, value)) if isinstance(value, tuple) else value


def _nested(numbers: list[float], shape: Sequence[int]) -> Any:
    if not shape:
        return numbers[0]
    size = len(numbers) // shape[0] if shape[0] else 0
    return [_nested(numbers[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]
