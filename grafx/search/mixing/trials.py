"""Losses of a graph without some of its processors, rendered from where they were on."""

from collections.abc import Callable, Collection, Mapping, Sequence

import networkx as nx
import torch
from torch import Tensor

from ... import trees
from ...data import GRAFX
from ...data.attributes import BYPASS
from .bypass import without
from .excerpt import Excerpt
from .judge import Judge
from .mixer import WEIGHT, Mixer


class Trials:
    """Trials that bypass processors.

    What is upstream of all that a trial changes sounds the same, so it is rendered once, and kept: the outputs of all
    nodes, but for the excerpts only. However long the song, each node takes 8 bytes a sample, about 2 MB for each
    excerpt of 5.5 s at 44.1 kHz; the console of seven stems with six excerpts, 700 MB.

    Args:
        mixer: The graph with all of its processors.
        excerpts: What the loss is the mean over.
        changes: Level changes of the processors, see :func:`~grafx.search.mixing.bypass.level_changes`.
        remix: Makes a mixer of a graph.
        judge: Loss of an excerpt.
    """

    def __init__(
        self,
        mixer: Mixer,
        excerpts: Sequence[Excerpt],
        changes: Mapping[int, Tensor],
        remix: Callable[[GRAFX], Mixer],
        judge: Judge,
    ) -> None:
        self.G, self.excerpts, self.changes = mixer.graph(), excerpts, changes
        self._remix, self._judge, self._gain = remix, judge, mixer.gain
        self._losses: dict[frozenset[int], float] = {}
        self._processors = dict(mixer.renderer.processors.items())
        (self._out,) = (node for node, data in self.G.nodes(data=True) if data["node_type"] == "out")
        with torch.no_grad():
            self._heard = [_outputs(mixer, excerpt) for excerpt in excerpts]

    def without(self, removed: Collection[int]) -> GRAFX:
        """The graph without some processors, at constant level."""
        return without(self.G, removed, self.changes, self._processors)

    def __call__(self, removed: frozenset[int], bound: float = float("inf")) -> float:
        """Return the loss without some processors or, once it is certain to be over a bound, what is certain.

        Only losses that are never negative can be certain before all excerpts are heard; of others all are.
        """
        if removed not in self._losses:
            loss = self._measure(removed, bound)
            if loss > bound:
                return loss
            self._losses[removed] = loss
        return self._losses[removed]

    @torch.no_grad()
    def _measure(self, removed: frozenset[int], bound: float) -> float:
        rest, sources = downstream(self.G, self.without(removed), self._heard[0])
        mixer, total = (self._remix(rest) if sources else None), 0.0
        for excerpt, signals in zip(self.excerpts, self._heard, strict=True):
            if mixer is None:
                mix = signals[self._out] / self._gain
            else:
                mix = mixer(torch.stack([signals[node] for node in sources]) / self._gain)[0]
            total += self._judge(mix, excerpt).item()
            if self._judge.never_negative and total / len(self.excerpts) > bound:
                break
        return total / len(self.excerpts)


def _outputs(mixer: Mixer, excerpt: Excerpt) -> dict[int, Tensor]:
    """The outputs that an ``in`` node can give in a part of the graph: single ones, with the channels of the stems."""
    signals = mixer.signals(excerpt.stems)
    outputs = {node: signals[node] for node in mixer.G}
    shape = excerpt.stems.shape[1:]
    return {node: signal for node, signal in outputs.items() if isinstance(signal, Tensor) and signal.shape == shape}


def downstream(before: GRAFX, after: GRAFX, known: Collection[int]) -> tuple[GRAFX, list[int]]:
    """The part of a graph that differs from another, with all that follows it.

    Args:
        before: The graph before a change.
        after: The graph after it, with the ids of the nodes that stayed.
        known: Nodes whose outputs before the change an ``in`` node can give, all ``in`` nodes among them.

    Returns:
        The part, whose ``in`` nodes stand for nodes of both graphs that sound the same, and these nodes in the order of
        the ``in`` nodes; none if nothing differs.
    """
    changed = [node for node in after if node not in before or differs(before, after, node)]
    part = set(changed).union(*(nx.descendants(after, node) for node in changed))
    while unknown := {source for node in part for source in after.predecessors(node)} - part - set(known):
        part |= unknown
    sources = sorted({source for node in part for source in after.predecessors(node)} - part)
    if part and not sources:  # generators alone, which sound for as long as what comes in
        sources = [node for node, data in sorted(after.nodes(data=True)) if data["node_type"] == "in"]
    rest = after.copy()
    rest.remove_nodes_from(set(after) - part - set(sources))
    for node in sources:
        rest.remove_edges_from(list(rest.in_edges(node, keys=True)))
        rest.nodes[node].clear()
        rest.nodes[node].update(node_type="in", name=f"in {node}")
    rest.forget_schedule()
    return rest, sources


def differs(before: GRAFX, after: GRAFX, node: int) -> bool:
    """Whether a node of two graphs is another, or gets other signals at its inlets.

    Tensors count as the same where they are the same objects, as in copies of a graph.
    """
    edges = [
        sorted((source, *sorted(data.items())) for source, _, data in G.in_edges(node, data=True))
        for G in (before, after)
    ]
    old, new = before.nodes[node], after.nodes[node]
    if edges[0] != edges[1] or any(old.get(name) != new.get(name) for name in ("node_type", WEIGHT, BYPASS)):
        return True
    tensors = [dict(trees.items(data.get("parameters") or {})) for data in (old, new)]
    return tensors[0].keys() != tensors[1].keys() or any(
        new is not tensors[0][path] for path, new in tensors[1].items()
    )
