"""The smaller graph of the same sound: stages merged, folded into others, or dropped, in a canonical order."""

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

import torch
import torch.nn as nn
from torch import Tensor

from ... import processors as library
from ...data import GRAFX
from ...data.attributes import BYPASS, WEIGHT, Settings, held_settings
from ...parameters.settings import raw_row, settings_of
from ...processors import (
    ConvolutionReverb,
    GraphicEqualizer,
    MultitapDelay,
    NewZeroPhaseFIREqualizer,
    Panner,
    ParametricEqualizer,
    SideGainImager,
    StereoGain,
    StereoWidener,
    STFTMaskedNoiseReverb,
    ZeroPhaseFIREqualizer,
)
from ...processors.contract import latency_of, tail_of
from ...processors.filter.cookbook import CookbookFilter
from ...trees import batch, map_tensors
from .bypass import bypass, chain_of, cut, remove_dead
from .console import SAMPLE_RATE, processors_for
from .weighted import amplitude, inner, passes_dry, weighted

INAUDIBLE = 1e-5
"""Largest change of a signal, relative to it, by what is dropped: many in a row are to stay within 1e-4."""

SILENT = 2e-6
"""Dry/wet weights up to this are those of a processor that is not there."""

SMALLEST_GAIN = 1e-12
LONGEST = 1 << 18  # samples of a response that is measured

FILTERS = {ZeroPhaseFIREqualizer, NewZeroPhaseFIREqualizer, ParametricEqualizer, GraphicEqualizer} | {
    kind
    for kind in map(vars(library).get, library.__all__)
    if isinstance(kind, type) and issubclass(kind, CookbookFilter)
}
LONG = {MultitapDelay, STFTMaskedNoiseReverb, ConvolutionReverb}
LINEAR = {*FILTERS, *LONG, Panner, StereoWidener}

ORDER = {"filter": 0, "imager": 1, "gain": 2}
"""Canonical order of what commutes; other linear stages stay after it."""


@torch.no_grad()
def simplify(G: GRAFX, sample_rate: float = SAMPLE_RATE, processors: Mapping[str, nn.Module] | None = None) -> GRAFX:
    """Copy a graph and make it smaller where that is not heard.

    A linear stage that only scales its channels, such as an equalizer that is flat, becomes a gain. In a chain, linear
    stages that commute exactly are put in the order equalizer, imager, gain, others; gains that follow one another
    merge, into the one that pans if one does, and so do imagers. What then has no effect goes, and so do processors
    with a dry/wet weight of 0, and silent sends. Delays and reverbs stay in their place, since the end of the audio
    cuts off their tails; only a gain that is the same for both channels moves across them. Nothing moves across a place
    where signals meet or part, or a stage that is not known to be linear. An imager does not commute with a gain that
    pans.

    Args:
        G: A graph of stereo signals, whose nodes hold their parameters and dry/wet weights.
        sample_rate: In Hz.
        processors: Node type to processor; by default those of a console.

    Returns:
        The graph, with the ids of what is left. Its sound differs by at most 1e-4 of the signals in it, and it is
        itself as simple as can be.

    Examples:
        >>> smaller = simplify(search.result().G, 44100)
    """
    smaller = G.copy()
    smaller.forget_schedule()
    desk = _Desk(smaller, weighted(processors_for(G, sample_rate) if processors is None else processors))
    for node in desk.nodes():
        desk.fold(node)
    while any(_merge(desk, run) for run in _runs(desk)):
        pass
    return smaller


class _Desk:
    """A graph with the processors of its nodes, and what these do."""

    def __init__(self, G: GRAFX, processors: Mapping[str, nn.Module]) -> None:
        self.G, self.processors = G, processors
        kinds = {node_type: type(inner(processor)) for node_type, processor in processors.items()}
        allowed = [t for t, kind in kinds.items() if kind is StereoGain and (G.config is None or t in G.config)]
        self.gain_type = allowed[0] if allowed else None

    def nodes(self) -> list[int]:
        G = self.G
        return [i for i in sorted(G.nodes) if G.nodes[i]["node_type"] in self.processors]

    def processor(self, node: int) -> nn.Module:
        return self.processors[self.G.nodes[node]["node_type"]]

    def weight(self, node: int) -> float:
        data = self.G.nodes[node]
        return 0.0 if data.get(BYPASS, False) else float(data.get(WEIGHT, 1.0))

    def raw(self, node: int) -> dict:
        return raw_row(self.processor(node), self.G.nodes[node], f"Node {node}")

    def kind(self, node: int) -> str | None:
        """``"gain"``, ``"imager"``, ``"filter"`` (the same for all channels), ``"linear"``; None for all else."""
        if self.G.nodes[node]["node_type"] not in self.processors:
            return None
        processor = inner(self.processor(node))
        if type(processor) in (StereoGain, SideGainImager):
            return "gain" if type(processor) is StereoGain else "imager"
        if type(processor) in FILTERS and getattr(processor, "processor_channel", "mono") == "mono":
            return "filter"
        return "linear" if type(processor) in LINEAR else None

    def factor(self, node: int) -> Tensor:
        """What a gain or an imager scales by, in float64."""
        return amplitude(self.processor(node), self.raw(node)["log_gain"].double(), self.weight(node))

    def set_factor(self, node: int, factor: Tensor, show: bool) -> None:
        """Set a gain or an imager, and its physical values if they are to be shown."""
        data, parameters = self.G.nodes[node], {"log_gain": factor.clamp(min=SMALLEST_GAIN).log().float()}
        data.update({"parameters": parameters, WEIGHT: 1.0})
        for name in (BYPASS, "settings"):
            data.pop(name, None)
        if show:
            data["settings"] = Settings(settings_of(self.processor(node), batch(parameters), 1)[0], parameters)

    def fold(self, node: int) -> None:
        """Drop a processor that does nothing, cut a send that is silent, make a gain of what only scales."""
        if node not in self.G:
            return
        if self.weight(node) <= SILENT:
            if passes_dry(self.processor(node)):
                bypass(self.G, node)
                remove_dead(self.G)
            else:
                cut(self.G, [node])
        elif self.kind(node) in ("filter", "linear") and (scale := self.scale(node)) is not None:
            self.become_gain(node, scale)

    def become_gain(self, node: int, scale: Tensor) -> None:
        if (scale - 1).abs().max() <= INAUDIBLE:
            bypass(self.G, node)
        elif self.gain_type is not None:
            show = held_settings(self.G.nodes[node]) is not None
            self.G.replace(node, self.gain_type)
            self.set_factor(node, scale, show)

    def scale(self, node: int) -> Tensor | None:
        """The gains of the channels, if a linear processor does nothing else."""
        processor, raw = self.processor(node), map_tensors(batch(self.raw(node)), Tensor.double)
        ahead = latency_of(processor)
        length = tail_of(inner(processor), raw) + 2 * (ahead or 0) + 1
        if ahead is None or length > LONGEST:
            return None
        impulses = torch.zeros(2, 2, length, dtype=torch.float64)
        impulses[range(2), range(2), ahead] = 1  # one in each channel
        result = processor(impulses, **{WEIGHT: torch.tensor(self.weight(node), dtype=torch.float64)}, **raw)
        responses = result if isinstance(result, Tensor) else result[0]
        scale = responses[range(2), range(2), ahead].clone()
        responses[range(2), range(2), ahead] = 0
        rest = responses.abs().sum((0, 2))
        return scale if scale.min() > 0 and (rest <= INAUDIBLE * scale).all() else None

    def even(self, node: int) -> bool:
        """Whether it is a gain that is the same for both channels, which commutes with all that is linear."""
        return self.kind(node) == "gain" and bool((factor := self.factor(node)).eq(factor[0]).all())

    def commute(self, one: int, other: int) -> bool:
        """Whether two linear stages can change places, exactly and up to the ends of the audio."""
        kinds = {self.kind(one), self.kind(other)}
        return kinds in ({"filter", "imager"}, {"filter", "gain"}) or self.even(one) or self.even(other)


def _runs(desk: _Desk) -> list[list[int]]:
    """Neighbouring linear stages of each chain."""
    runs: list[list[int]] = []
    seen: set[int] = set()
    for node in desk.nodes():
        if node not in seen:
            chain = chain_of(desk.G, node)
            seen.update(chain)
            stages = groupby(chain, lambda member: desk.kind(member) is not None)
            runs += [list(run) for is_linear, run in stages if is_linear]
    return runs


def _merge(desk: _Desk, run: Sequence[int]) -> bool:
    """Order and merge the stages of a run, and drop what is neutral; tell whether anything has changed."""
    if pair := _pair(desk, run):
        kept, merged = pair
        show = held_settings(desk.G.nodes[kept]) is not None
        desk.set_factor(kept, desk.factor(kept) * desk.factor(merged), show)
        bypass(desk.G, merged)
        return True
    for node in run:
        if desk.kind(node) in ("gain", "imager") and (desk.factor(node) - 1).abs().max() <= INAUDIBLE:
            bypass(desk.G, node)
            return True
    order = _ordered(desk, run)
    if order != list(run):
        rewire(desk.G, run, order)
        return True
    return False


def _pair(desk: _Desk, run: Sequence[int]) -> tuple[int, int] | None:
    """Two stages of a run that are one: which stays, and which merges into it."""
    gains = [node for node in run if desk.kind(node) == "gain"]
    if len(gains) > 1 and (even := [node for node in gains if desk.even(node)]):
        return next(node for node in gains if node != even[-1]), even[-1]
    alike = (pair for pair in pairwise(run) if desk.kind(pair[0]) == desk.kind(pair[1]) in ("gain", "imager"))
    return next(alike, None)


def _ordered(desk: _Desk, run: Sequence[int]) -> list[int]:
    last = len(ORDER)
    ranks = {node: ORDER.get(desk.kind(node) or "", last) for node in run}
    even = [node for node in run if desk.even(node)]  # one at most, and then the only gain
    order = [node for node in run if node not in even]
    moved = True
    while moved:
        moved = False
        for place, (one, other) in enumerate(pairwise(order)):
            if ranks[one] > ranks[other] and desk.commute(one, other):
                order[place : place + 2] = other, one
                moved = True
                break
    place = next((index for index, node in enumerate(order) if ranks[node] == last), len(order))
    return [*order[:place], *even, *order[place:]]


def rewire(G: GRAFX, before: Sequence[int], after: Sequence[int]) -> None:
    """Put the nodes of a run in another order; the cables stay in their places."""
    cables = [list(G.in_edges(before[0], data=True))]
    cables += [[(one, other, dict(data)) for data in G[one][other].values()] for one, other in pairwise(before)]
    cables += [list(G.out_edges(before[-1], data=True))]
    place = dict(zip(before, after, strict=True))
    G.remove_edges_from([(s, d, key) for n in before for s, d, key in [*G.in_edges(n, keys=True)]])
    G.remove_edges_from(list(G.out_edges(before[-1], keys=True)))
    G.add_edges_from(
        (place.get(source, source), place.get(dest, dest), data) for group in cables for source, dest, data in group
    )
