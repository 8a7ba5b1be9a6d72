"""What is heard in a graph: the outputs and inputs of all its nodes."""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import networkx as nx
import torch
import torch.nn as nn
from torch import Tensor

from ..data import GRAFX
from ..data.attributes import BYPASS, WEIGHT
from ..data.configs import BUILT_IN_TYPES
from ..errors import AudioError, GraphError, RenderError
from ..processors.contract import contract_of
from ..processors.core.streaming import first_bad_sample
from ..render import Renderer
from ..render.check import Processors
from ..search.arguments import tensor, whole_rate
from ..search.mixing.console import ROLES, console_processors, known_types, made_by_name
from ..search.mixing.mixer import weight_of
from ..search.mixing.placement import placed_stems, placements_of
from ..search.mixing.weighted import inner, weighted
from ..trees import map_tensors

MOST_IN_MEMORY = 2**30  # bytes of outputs, from which on they are kept in a file
FORMER = "id_of_report"
LOUDEST = 1e9  # where full scale is 1

Outlets = tuple[Tensor, ...]


@dataclass(frozen=True)
class Heard:
    """A graph with the sound of each of its nodes.

    Attributes:
        G: The graph, with its own ids.
        processors: Node type to processor, those that take a dry/wet weight with it.
        sample_rate: In Hz.
        sources: ``(K, C, L)``, one for each ``in`` node in id order, as in their files.
        outputs: Node id to the signals of its outlets, ``(C, L)`` each.
        inputs: Node id to the signal of each inlet, ``(C, L)``, summed on access. One that is another node's output is
            that tensor itself.
        target: ``(C, L)``, what the graph should sound like; None if there is none.
        parameters: Node id to raw parameters with a batch axis of 1.
        weights: Node id to the dry/wet weight of those that have one; 0 where they are bypassed.
    """

    G: GRAFX
    processors: Mapping[str, nn.Module]
    sample_rate: int
    sources: Tensor
    outputs: Mapping[int, Outlets]
    inputs: Mapping[int, dict[str, Tensor]]
    target: Tensor | None = None
    parameters: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    weights: Mapping[int, float] = field(default_factory=dict)

    @property
    def num_samples(self) -> int:
        return self.sources.shape[-1]

    @property
    def mix(self) -> Tensor:
        """``(C, L)``: the output, or the sum of all outputs."""
        return summed([self.outputs[node_id][0] for node_id in nodes_of(self.G, "out")])

    def call(self, node_id: int, inputs: Mapping[str, Tensor]) -> Outlets:
        """Compute a node's outlets from the signals ``(C, L)`` at its inlets."""
        return played(self, node_id, inputs)


class Inputs(Mapping[int, dict[str, Tensor]]):
    """The signals at the inlets of nodes, which are summed when they are asked for.

    Args:
        G: The graph.
        outputs: As in :class:`Heard`; what is added to it later counts, too.
    """

    def __init__(self, G: GRAFX, outputs: Mapping[int, Outlets]) -> None:
        self._G, self._outputs = G, outputs

    def __getitem__(self, node_id: int) -> dict[str, Tensor]:
        return inlets_of(self._G, node_id, lambda source: self._outputs[source])

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._G.nodes))

    def __len__(self) -> int:
        return len(self._G)


def hear(
    G: GRAFX,
    sources: Tensor,
    sample_rate: int,
    processors: Mapping[str, nn.Module] | None = None,
    target: Tensor | None = None,
) -> Heard:
    """Compute the output of every node of a graph.

    They are those of a render, one node after another. Stems are placed, weighted and bypassed as
    :func:`~grafx.search.render_mix` does it; processors without weights are used as they are. Long ones are kept in a
    file rather than in memory.

    Args:
        G: A graph, such as a search finds, or any other whose types are of a console, classes of
            :mod:`grafx.processors`, or given.
        sources: ``(K, C, L)``, one for each ``in`` node in id order, as in their files; ``(0, C, L)`` for a graph of
            generators.
        sample_rate: In Hz.
        processors: Node type to processor, in addition to those that are known, or in their place.
        target: ``(C, L)``, what the graph should sound like.

    Raises:
        GraphError: The graph has a cycle, nothing to hear, or an attribute that does not fit.
        RenderError: A processor is missing, or what comes out of a node is not finite.
        AudioError: Sources or target have a wrong shape, or there is no room for a file.
    """
    rig = rigged(G, sources, sample_rate, processors, target)
    outputs: dict[int, Outlets] = {}
    heard = Heard(**{**vars(rig), "outputs": outputs, "inputs": Inputs(rig.G, outputs)})
    keep = keeper(heard)
    for node_id in nx.lexicographical_topological_sort(heard.G):
        outputs[node_id] = keep(rig.outputs[node_id] if node_id in rig.outputs else checked(heard, node_id))
    return heard


def rigged(
    G: GRAFX,
    sources: Tensor,
    sample_rate: int,
    processors: Mapping[str, nn.Module] | None = None,
    target: Tensor | None = None,
) -> Heard:
    """Check all that :func:`hear` needs, and make it ready: what it returns, with the outputs of ``in`` nodes only."""
    sample_rate = whole_rate(sample_rate)
    placements = placements_of(G)
    inputs = nodes_of(G, "in")
    if not nodes_of(G, "out"):
        raise GraphError("The graph has no output to hear: add a node of type 'out', and connect to it what is wanted.")
    sources = _checked_sources(tensor("sources", sources), len(inputs))
    target = None if target is None else _checked_target(tensor("target", target), sources)
    found = known_processors(G, sample_rate, processors)
    copy = G.copy()
    for node_id, data in copy.nodes(data=True):
        data[FORMER] = node_id
    with torch.random.fork_rng([]):
        torch.manual_seed(0)  # parameters that nobody has given are drawn
        renderer = Renderer(copy, found)
    G = G if G.config is not None else GRAFX.like(G, G.nodes(data=True), G.edges(data=True), renderer.G.config)
    placed = placed_stems(sources, placements)
    outputs = {node_id: (signal,) for node_id, signal in zip(inputs, placed, strict=True)}
    return Heard(
        G,
        dict(renderer.processors.items()),
        sample_rate,
        sources,
        outputs,
        Inputs(G, outputs),
        target,
        _parameters(renderer),
        weights_of(G, found),
    )


def weights_of(G: GRAFX, processors: Processors) -> dict[int, float]:
    """Node id to dry/wet weight, of those whose processors take one."""
    return {
        node_id: weight_of(node_id, data)
        for node_id, data in sorted(G.nodes(data=True))
        if (node_type := data["node_type"]) in processors
        and WEIGHT in contract_of(processors[node_type]).external_parameters()
    }


def nodes_of(G: GRAFX, node_type: str) -> list[int]:
    return sorted(node_id for node_id, data in G.nodes(data=True) if data.get("node_type") == node_type)


def label_of(G: GRAFX, node_id: int) -> str:
    """Name a node in words."""
    data = G.nodes[node_id]
    what = "stem" if data["node_type"] == "in" else str(data["node_type"])
    if data.get("name"):
        return f"{what} {data['name']}"
    return f"{what} on {data['owner']}" if data.get("owner") else f"{what} {node_id}"


def known_processors(
    G: GRAFX, sample_rate: int, processors: Mapping[str, nn.Module] | None = None
) -> dict[str, nn.Module]:
    """Those of a graph's types that are given, of a console, or classes of :mod:`grafx.processors` by their names.

    Where a node has a dry/wet weight or is bypassed, the processors of its type take one.
    """
    given = dict(processors or {})
    found: dict[str, nn.Module] = {}
    for node_type in sorted({str(data.get("node_type")) for _, data in G.nodes(data=True)} - set(BUILT_IN_TYPES)):
        processor = given[node_type] if node_type in given else _known(node_type, sample_rate)
        if processor is not None:
            nodes = [data for _, data in G.nodes(data=True) if data["node_type"] == node_type]
            has_weights = any(WEIGHT in data or BYPASS in data for data in nodes)
            found[node_type] = weighted({node_type: processor})[node_type] if has_weights else processor
    return found


def _known(node_type: str, sample_rate: int) -> nn.Module | None:
    if node_type in ROLES:
        return inner(console_processors(sample_rate, [node_type])[node_type])
    return made_by_name(node_type, sample_rate) if known_types([node_type]) else None


def _parameters(renderer: Renderer) -> dict[int, Mapping[str, Any]]:
    """Raw parameters of each node, by its id in the graph that was given."""
    rows: dict[str, int] = {}
    found = {}
    for _, data in sorted(renderer.G.nodes(data=True)):
        node_type = data["node_type"]
        if node_type in renderer.processors:
            row = rows[node_type] = rows.get(node_type, -1) + 1
            tree = renderer.per_type_parameters[node_type]
            found[data[FORMER]] = map_tensors(tree, lambda value, row=row: value[row : row + 1].detach())
    return found


# Signals


def summed(signals: list[Tensor]) -> Tensor:
    """Sum ``(C, L)`` signals; a mono one goes to all channels. A single one is returned as it is."""
    return signals[0] if len(signals) == 1 else reduce(torch.add, signals)


def inlets_of(G: GRAFX, node_id: int, outlets_of: Callable[[int], Outlets]) -> dict[str, Tensor]:
    """The signal at each inlet of a node; silence, like that of the first one, where nothing is connected."""
    found: dict[str, Tensor] = {}
    data = G.nodes[node_id]
    for inlet in G.config[data["node_type"]]["inlets"]:
        cables = [(s, d["outlet"]) for s, _, d in G.in_edges(node_id, data=True) if d["inlet"] == inlet]
        signals = [outlets_of(s)[_place(G, s, outlet)] for s, outlet in cables]
        if signals:
            found[inlet] = summed(signals)
        elif found:
            found[inlet] = torch.zeros_like(next(iter(found.values())))
    return found


def _place(G: GRAFX, node_id: int, outlet: str) -> int:
    return list(G.config[G.nodes[node_id]["node_type"]]["outlets"]).index(outlet)


def played(heard: Heard, node_id: int, inputs: Mapping[str, Tensor]) -> Outlets:
    """Compute a node's outlets from the signals ``(C, L)`` at its inlets."""
    outlets = rows_played(heard, node_id, {name: signal[None] for name, signal in inputs.items()})
    return tuple(outlet[0] for outlet in outlets)


@torch.no_grad()
def rows_played(heard: Heard, node_id: int, inputs: Mapping[str, Tensor]) -> Outlets:
    """Compute a node's outlets from several signals ``(B, C, L)`` at each inlet, of which each row is for itself."""
    node_type = heard.G.nodes[node_id]["node_type"]
    if node_type in BUILT_IN_TYPES:
        return (next(iter(inputs.values())),)
    rows, length = next(((x.shape[0], x.shape[-1]) for x in inputs.values()), (1, heard.num_samples))
    given: dict[str, Any] = dict(heard.parameters[node_id])
    if node_id in heard.weights:
        given[WEIGHT] = torch.tensor([heard.weights[node_id]], dtype=heard.sources.dtype)
    given = map_tensors(given, lambda value: value.expand(rows, *value.shape[1:]))
    asked = {} if inputs else {"num_samples": length}
    try:
        with torch.random.fork_rng([]):
            torch.manual_seed(0)  # what is drawn is drawn alike each time
            result = heard.processors[node_type](*inputs.values(), **given, **asked)
    except Exception as error:
        error.add_note(f"In node {node_id} of type '{node_type}'.")
        raise
    return _outlets(heard, node_id, result, (rows, length))


def _outlets(heard: Heard, node_id: int, result: Any, sizes: tuple[int, int]) -> Outlets:
    parts = [result] if isinstance(result, Tensor) else list(result)
    parts = parts[:-1] if isinstance(parts[-1], dict) else parts
    parts = list(parts[0]) if len(parts) == 1 and not isinstance(parts[0], Tensor) else parts
    node_type = heard.G.nodes[node_id]["node_type"]
    names = heard.G.config[node_type]["outlets"]
    fit = all(isinstance(part, Tensor) and part.ndim == 3 and part.shape[::2] == sizes for part in parts)
    if len(parts) != len(names) or not fit:
        shown = [tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in parts]
        raise RenderError(
            f"The processor of type '{node_type}' (node {node_id}) should return {len(names)} signal(s) of shape"
            f" ({sizes[0]}, channels, {sizes[1]}), one for each outlet, but returned {shown}."
        )
    return tuple(part.detach() for part in parts)


def checked(heard: Heard, node_id: int) -> Outlets:
    inputs = heard.inputs[node_id]
    node_type = heard.G.nodes[node_id]["node_type"]
    missing = not inputs and heard.G.config[node_type]["inlets"]
    if missing:
        raise GraphError(
            f"Node {node_id} of type '{node_type}' has nothing at its first inlet: connect it, or remove it."
        )
    outlets = played(heard, node_id, inputs)
    for signal in outlets:
        if (first := first_bad_sample(signal)) is not None:
            raise RenderError(
                f"What comes out of node {node_id} of type '{node_type}' is NaN or infinite, first in sample {first}:"
                " give it other parameters, or remove it."
            )
    return outlets


def keeper(heard: Heard) -> Callable[[Outlets], Outlets]:
    """What keeps outputs: as they are, or in a file where they would take much memory."""
    nodes = len(heard.G)
    if nodes * 2 * heard.num_samples * 4 < MOST_IN_MEMORY:
        return lambda outlets: tuple(signal.cpu() for signal in outlets)
    folder = tempfile.TemporaryDirectory(prefix="grafx-", ignore_cleanup_errors=True)
    number = iter(range(10**9))
    needed, free = nodes * 2 * heard.num_samples * heard.sources.element_size(), shutil.disk_usage(folder.name).free
    if needed > free:
        raise AudioError(
            f"The sounds of {nodes} nodes take up to {needed / 1e9:.1f} GB, but {folder.name} has {free / 1e9:.1f} GB"
            " left: make room there, set TMPDIR to another folder, or take a part of the song."
        )

    def keep(outlets: Outlets) -> Outlets:
        kept = []
        for signal in outlets:
            path = str(Path(folder.name) / str(next(number)))
            size = math.prod(signal.shape)
            place = torch.from_file(path, shared=True, size=size, dtype=signal.dtype).reshape(signal.shape)
            kept.append(place.copy_(signal))
        return tuple(kept)

    return keep


# Checks


def _checked_sources(sources: Tensor, count: int) -> Tensor:
    if sources.ndim != 3 or len(sources) != count or sources.shape[1] not in (1, 2) or not sources.shape[2]:
        raise AudioError(
            f"The graph takes sources of shape ({count}, 2, samples), one for each 'in' node, mono or stereo, not"
            f" {tuple(sources.shape)}."
        )
    if not sources.is_floating_point():
        raise AudioError(f"Sources are of a floating point type, not {sources.dtype}: convert them.")
    for number, source in enumerate(sources):
        if (first := first_bad_sample(source)) is not None:
            raise AudioError(f"Source {number} is NaN or infinite, first in sample {first}: give finite audio.")
        _check_level(source, f"Source {number}")
    return sources.detach()


def _check_level(signal: Tensor, place: str) -> None:
    """Refuse what is no audio, whose squares single precision could not hold."""
    if signal.numel() and (peak := signal.abs().max().item()) > LOUDEST:
        raise AudioError(f"{place} reaches {peak:.3g}, where full scale is 1: scale it down.")


def _checked_target(target: Tensor, sources: Tensor) -> Tensor:
    if target.ndim != 2 or target.shape[0] not in (1, 2) or target.shape[-1] != sources.shape[-1]:
        raise AudioError(
            f"The target is of shape (2, {sources.shape[-1]}), mono or stereo and as long as the sources, not"
            f" {tuple(target.shape)}: cut or pad it."
        )
    if (first := first_bad_sample(target)) is not None:
        raise AudioError(f"The target is NaN or infinite, first in sample {first}: give finite audio.")
    _check_level(target, "The target")
    return target.detach().cpu()
