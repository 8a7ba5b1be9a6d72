"""A graph as writers see it: each node with its processor, its values and its share, in the order of the signal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import networkx as nx
import torch
import torch.nn as nn
from torch import Tensor

from .. import trees
from ..data import GRAFX, GraphError
from ..data.attributes import WEIGHT
from ..data.configs import BUILT_IN_TYPES
from ..errors import ExchangeError
from ..parameters.settings import raw_row
from ..processors import DryWet, GainStagingRegularization
from ..processors.contract import contract_of
from ..search.mixing.console import ROLES, console_processors, known_types, made_by_name
from ..search.mixing.mixer import weight_of
from ..search.mixing.placement import Placement, placed, placements_of
from ..search.mixing.weighted import passes_dry
from ..text import printable

Source = tuple[int, int]
"""A node and the number of its outlet."""
Plugs = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Part:
    r"""A node.

    Its sound is :math:`w f(x) + (1 - w) x_0`, and :math:`w f(x)` where the input does not pass, as in sends.

    Attributes:
        id: Its id.
        type: Its type.
        name: Its name, or what it is called for want of one.
        processor: What :math:`f` is, without the weight around it; ``None`` for ``in``, ``out`` and ``mix``.
        raw: Nested raw parameters of that, without a batch axis.
        values: Nested physical values of its controls, tensors without a batch axis.
        wet: The share :math:`w` of what is processed, from 0 to 1.
        passes_dry: Whether the input is heard where it is not processed.
        inlets: What each inlet sums, in the order of the processor's inlets.
        placement: How the stem of an ``in`` node takes part: its delay and polarity.
    """

    id: int
    type: str
    name: str
    processor: nn.Module | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    wet: float = 1.0
    passes_dry: bool = True
    inlets: Sequence[Sequence[Source]] = ()
    placement: Placement = field(default_factory=Placement)

    @property
    def place(self) -> str:
        """The node for messages: ``"Node 3 of type 'eq'"``."""
        return f"Node {self.id} of type '{self.type}'"

    def wet_sound(self, *signals: Tensor) -> list[Tensor]:
        """What the processor makes of ``(C, L)`` signals, one for each inlet: those of its outlets."""
        return outputs_of(self.processor, self.raw, *signals)  # pyright: ignore[reportArgumentType]  it is no sum

    def sound(self, *signals: Tensor) -> list[Tensor]:
        """What the node makes of ``(C, L)`` signals, one for each inlet: those of its outlets."""
        if self.processor is None:
            return [signals[0]]
        wet = self.wet_sound(*signals)
        if self.wet == 1:
            return wet
        dry = signals[0] if self.passes_dry else torch.zeros_like(signals[0])
        return [self.wet * each + (1 - self.wet) * dry for each in wet]


def parts_of(G: GRAFX, sample_rate: int, processors: Mapping[str, nn.Module] | None = None) -> list[Part]:
    """The nodes of a graph, each behind those that it hears.

    Args:
        G: The graph, whose nodes hold their parameters: raw tensors, physical values or both.
        sample_rate: In Hz.
        processors: Node type to processor, in addition to those of a console and the classes of
            :mod:`grafx.processors`, or in their place.

    Raises:
        ExchangeError: It is a batch of graphs, has a cycle, or a type without a processor.
        GraphError: It is no graph, or a node holds what is no parameter of it.
    """
    if not isinstance(G, GRAFX):
        raise GraphError(f"A GRAFX is carried over, not a {type(G).__name__}.")
    if G.batch:
        raise ExchangeError("It is a batch of graphs: take it apart with unbatch_grafx, and carry over one at a time.")
    order = _order(G)
    if problems := G.validate():
        raise ExchangeError(f"The graph cannot be carried over: {problems[0]}")
    types = dict.fromkeys(G.nodes[i]["node_type"] for i in order)
    known = {t: _processor(t, sample_rate, processors or {}) for t in types if t not in BUILT_IN_TYPES}
    plugs = {t: _plugs(G, t, known.get(t)) for t in types}
    inputs = [i for i in sorted(G.nodes) if G.nodes[i]["node_type"] == "in"]
    placements = dict(zip(inputs, placements_of(G), strict=True))
    return [
        _part(G.nodes[i], i, known.get(G.nodes[i]["node_type"]), _inlets(G, i, plugs), placements.get(i, Placement()))
        for i in order
    ]


def play(parts: Sequence[Part], stems: Tensor) -> dict[int, list[Tensor]]:
    """The sound of every outlet of every node, ``(C, L)``, by id; that of an ``out`` is what it gets.

    Args:
        parts: Those of :func:`parts_of`.
        stems: ``(K, C, L)``, for the ``in`` nodes in id order.
    """
    inputs = sorted(part.id for part in parts if part.type == "in")
    if len(stems) != len(inputs):
        raise ExchangeError(f"The graph has {len(inputs)} inputs, but there are {len(stems)} stems.")
    sounds: dict[int, list[Tensor]] = {}
    for part in parts:
        if part.type == "in":
            sounds[part.id] = [placed(stems[inputs.index(part.id)], part.placement)]
        elif not part.inlets:
            sounds[part.id] = _generated(part, stems)
        else:
            sounds[part.id] = part.sound(*heard(part, sounds))
    return sounds


def heard(part: Part, sounds: Mapping[int, Sequence[Tensor]]) -> list[Tensor]:
    """What each inlet of a node gets, ``(C, L)``: sums, and silence at those where there is nothing.

    Args:
        part: The node.
        sounds: What :func:`play` returns.
    """
    sums: list[Any] = [sum(sounds[source][outlet] for source, outlet in inlet) for inlet in part.inlets]
    return [each if isinstance(each, Tensor) else torch.zeros_like(sums[0]) for each in sums]


def _generated(part: Part, like: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return _outlets(part.processor(num_samples=like.shape[-1], **trees.batch(part.raw)))  # pyright: ignore


@torch.no_grad()
def outputs_of(processor: nn.Module, raw: Mapping[str, Any], *signals: Tensor) -> list[Tensor]:
    """What a processor makes of ``(C, L)`` signals, one for each inlet: those of its outlets."""
    given = trees.map_tensors(trees.batch(raw), lambda tensor: tensor.to(signals[0].dtype))
    return _outlets(processor(*(signal[None] for signal in signals), **given))


def _outlets(made: Any) -> list[Tensor]:
    """The signals without a batch axis, and without intermediates."""
    return [each[0] for each in ([made] if isinstance(made, Tensor) else made) if isinstance(each, Tensor)]


def _order(G: GRAFX) -> list[int]:
    try:
        return list(nx.lexicographical_topological_sort(G))
    except nx.NetworkXUnfeasible:
        ids = [source for source, *_ in nx.find_cycle(G)]
        raise ExchangeError(
            f"The nodes {', '.join(map(str, ids))} feed each other in a circle, which cannot be carried over: remove"
            " one of the edges between them, or use a processor that has the feedback inside, such as FeedbackDelay."
        ) from None


def _processor(node_type: str, sample_rate: int, given: Mapping[str, nn.Module]) -> nn.Module:
    if node_type in given:
        return given[node_type]
    if node_type in ROLES:
        return console_processors(sample_rate, [node_type])[node_type]
    if known_types([node_type]):
        return made_by_name(node_type, sample_rate)
    raise ExchangeError(
        f"There is no processor for the node type '{node_type}': give it by the argument 'processors', on the command"
        " line by --processors MODULE:FUNCTION."
    )


def _part(
    data: Mapping[str, Any], node_id: int, processor: nn.Module | None, inlets: list[list[Source]], placement: Placement
) -> Part:
    node_type = data["node_type"]
    name = printable(data.get("name") or f"{node_type} {node_id}")
    if processor is None:
        return Part(node_id, node_type, name, inlets=inlets, placement=placement)
    raw = raw_row(processor, data, f"Node {node_id} of type '{node_type}'")
    raw = trees.map_tensors(raw, lambda tensor: tensor.detach().cpu())
    weight, shares, inside = weight_of(node_id, data), [], processor
    while isinstance(inside, DryWet | GainStagingRegularization):
        if isinstance(inside, DryWet):
            shares.append(weight if inside.external_param else float(raw[WEIGHT]))
            raw = {key: value for key, value in raw.items() if key != WEIGHT}
        inside = inside.processor
    with torch.no_grad():
        values = trees.row(contract_of(inside).raw_to_dsp(trees.batch(raw)))
    if WEIGHT in contract_of(inside).external_parameters():  # members take it
        raw = {**raw, WEIGHT: torch.tensor(weight)}
    elif not shares:
        shares.append(weight)
    return Part(node_id, node_type, name, inside, raw, values, prod(shares), passes_dry(processor), inlets, placement)


def _inlets(G: GRAFX, node_id: int, plugs: Mapping[str, Plugs]) -> list[list[Source]]:
    """What each inlet sums."""
    names = plugs[G.nodes[node_id]["node_type"]][0]
    inlets: list[list[Source]] = [[] for _ in names]
    for source, _, data in sorted(G.in_edges(node_id, data=True), key=lambda edge: edge[0]):
        outlets = plugs[G.nodes[source]["node_type"]][1]
        inlets[names.index(data["inlet"])].append((source, outlets.index(data["outlet"])))
    return inlets


def _plugs(G: GRAFX, node_type: str, processor: nn.Module | None) -> Plugs:
    """Inlets and outlets of a type: those of the config, or where there is none, of the processor."""
    config = BUILT_IN_TYPES if node_type in BUILT_IN_TYPES else G.config
    if config is not None:
        return config[node_type]["inlets"], config[node_type]["outlets"]
    contract = contract_of(processor)
    return list(contract.inlets), list(contract.outlets)
