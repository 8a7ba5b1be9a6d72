"""Rendering of what an edit changed, and of what follows it."""

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from ... import trees
from ...data import GRAFX
from ...data.attributes import WEIGHT
from ...data.configs import BUILT_IN_TYPES
from ...errors import RenderError
from ...processors.contract import contract_of
from ...render.call import call
from ...render.plan import RenderStep
from ...search.conditions import in_usual_torch
from ...search.mixing.mixer import weight_of
from ...search.mixing.placement import placed_stems, placements_of
from ...search.mixing.trials import differs
from .edits import Processors

Outputs = Mapping[int, tuple[Tensor, ...]]
"""The signals ``(C, L)`` of each node's outlets, by its id."""

Inputs = Mapping[int, Mapping[str, Tensor]]
"""The signals ``(C, L)`` of each node's inlets, by its id."""


class Rendering:
    """All signals of a graph.

    Args:
        G: A graph whose processors hold their raw parameters.
        processors: Node type to processor.
        sources: ``(K, 2, L)``, one for each ``in`` node in id order, as in their files.
        before: The signals of another graph of the same sources; what is not downstream of a difference is taken over.

    Attributes:
        G: The graph.
        outputs, inputs: All signals.
        fresh: Ids of the nodes whose outputs are others than before.

    Raises:
        RenderError: The number of sources is wrong, signals do not fit each other, or a sound is not finite.
    """

    @in_usual_torch
    def __init__(self, G: GRAFX, processors: Processors, sources: Tensor, before: "Rendering | None" = None) -> None:
        self.G, self.outputs, self.inputs = G, dict[int, tuple[Tensor, ...]](), dict[int, dict[str, Tensor]]()
        self.fresh: set[int] = set()
        self._processors, self._sources = processors, sources
        stems = dict(zip(_inputs(G), placed_stems(sources, placements_of(G)), strict=False)) if before is None else {}
        if before is None and len(stems) != len(sources):
            raise RenderError(f"The graph mixes {len(stems)} stems, but {len(sources)} were given.")
        with torch.no_grad():
            for node in nx.topological_sort(G):
                self._hear(node, stems, before)

    def _hear(self, node: int, stems: Mapping[int, Tensor], before: "Rendering | None") -> None:
        known = before is not None and node in before.outputs
        stays = known and not differs(before.G, self.G, node)
        if stays and not self.fresh.intersection(self.G.predecessors(node)):
            self.outputs[node], self.inputs[node] = before.outputs[node], before.inputs[node]
            return
        self.inputs[node] = self._gathered(node)
        outlets = (stems[node],) if node in stems else self._processed(node)
        if not all(outlet.isfinite().all() for outlet in outlets):
            raise RenderError(f"Node {node} ({self.G.nodes[node]['node_type']}) would have no finite sound any more.")
        if known and _same(outlets, before.outputs[node]):
            outlets = before.outputs[node]  # what follows stays, too
        else:
            self.fresh.add(node)
        self.outputs[node] = outlets

    def _gathered(self, node: int) -> dict[str, Tensor]:
        """The signal at each inlet: the sum of what comes in, or silence."""
        plugs = self.G.config.node_type_dict
        read: dict[str, list[Tensor]] = {inlet: [] for inlet in plugs[self.G.nodes[node]["node_type"]]["inlets"]}
        for source, _, cable in sorted(self.G.in_edges(node, data=True), key=lambda edge: edge[:2]):
            outlets = plugs[self.G.nodes[source]["node_type"]]["outlets"]
            read[cable["inlet"]].append(self.outputs[source][outlets.index(cable["outlet"])])
        silence = None
        gathered = {}
        for inlet, signals in read.items():
            channels = {signal.shape[0] for signal in signals} - {1}
            if len(channels) > 1:
                raise RenderError(
                    f"Node {node} gets signals of {' and '.join(map(str, sorted(channels)))} channels at its inlet"
                    f" '{inlet}', which cannot be summed."
                )
            gathered[inlet] = reduce(add, signals) if signals else silence
            silence = torch.zeros_like(gathered[inlet]) if silence is None else silence
        return gathered

    def _processed(self, node: int) -> tuple[Tensor, ...]:
        data = self.G.nodes[node]
        if (node_type := data["node_type"]) in BUILT_IN_TYPES:
            return (self.inputs[node]["main"],)
        processor, weight = self._processors[node_type], weight_of(node, data)
        parameters: dict[str, Any] = dict(trees.batch(data["parameters"]))
        if WEIGHT in contract_of(processor).external_parameters():
            parameters[WEIGHT] = torch.tensor([weight])
        plugs = self.G.config[node_type]
        step = RenderStep(
            node_type,
            tuple(plugs["inlets"]),
            tuple(plugs["outlets"]),
            nodes=(node, node + 1),
            rows=(0, 1),
            inlets=(),
            segments=((1,),) * max(1, len(plugs["outlets"])),
            frees=(),
        )
        rows = [(signal[None],) for signal in self.inputs[node].values()]
        outlets, _ = call(processor, step, rows, parameters, self._sources)
        return tuple(row[0] for (row,) in outlets)


def _inputs(G: GRAFX) -> list[int]:
    return sorted(node for node, data in G.nodes(data=True) if data["node_type"] == "in")


def _same(outlets: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> bool:
    return len(outlets) == len(others) and all(map(torch.equal, outlets, others))
