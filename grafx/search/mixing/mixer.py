"""A trainable mixing graph: rendering, dry/wet weights, penalties."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX, GraphError
from ...data.attributes import BYPASS, WEIGHT
from ...data.configs import BUILT_IN_TYPES
from ...errors import RenderError
from ...render import Renderer, Signals, StreamRenderer
from ...render.render import render_grafx
from ...trees import map_tensors
from ..arguments import number, tensor
from ..conditions import in_usual_torch, plain_tensor
from .console import CHAIN, DUCKER, SAMPLE_RATE, SEND, hearing_processors, processors_for
from .placement import PlacementStream, placed_stems, placements_of

__all__ = ["WEIGHT", "MixStream", "Mixer", "render_mix"]

SMALLEST_GAIN = 1e-9
WHOLE_SECONDS, BLOCK = 30.0, 2**17
"""Length from which on a mix is rendered in blocks, and theirs in samples."""
THRESHOLD = "log_threshold"
"""The only raw parameter of a full chain that depends on level; all others are factors."""

LEVEL_FREE = {*CHAIN, "peq", SEND, DUCKER}
"""Types that amplified stems do not change, where thresholds are raised as well."""

PENALTIES = ("gain_reg", "radii_reg")
"""Intermediates of processors that a search keeps low."""


class Mixer(nn.Module):
    """A mixing graph with trainable parameters and dry/wet weights.

    Args:
        G: A graph of processors, whose nodes hold their raw parameters and ``drywet_weight``. It is renumbered along
            its schedule: all ids refer to ``mixer.G``.
        sample_rate: In Hz.
        gain: Factor that brings the stems to the internal level, at which penalties are measured. Neither the
            parameters nor the mix depend on it. It is 1 where other processors than :data:`LEVEL_FREE` occur, as their
            sound may depend on the level.
        processors: Node type to processor, in addition to those of a console or in their place.

    Stems may be on any device; they are mixed on that of the mixer. Its graph is on the CPU.

    Raises:
        GraphError: A weight is not a number from 0 to 1.
        SearchError: The gain is not a positive number.
    """

    @in_usual_torch
    def __init__(
        self,
        G: GRAFX,
        sample_rate: float = SAMPLE_RATE,
        gain: float = 1.0,
        processors: Mapping[str, nn.Module] | None = None,
    ):
        super().__init__()
        gain = number("gain", gain, SMALLEST_GAIN)
        self.renderer = Renderer(G, processors_for(G, sample_rate, processors))
        self.gain = gain if set(self.renderer.processors) <= LEVEL_FREE - set(processors or ()) else 1.0
        self.G = self.renderer.G
        self.z_drywet = nn.Parameter(torch.logit(_weights(self.G), eps=1e-6))

    def forward(self, stems: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Mix ``(K, 2, L)`` stems.

        Returns:
            The mix, ``(2, L)``, and penalties by name, each of :data:`PENALTIES` summed over all nodes.
        """
        output, intermediates_list, _ = self._render(stems)
        penalties: dict[str, Tensor] = {}
        for intermediates in intermediates_list:
            for name in PENALTIES:
                if name in intermediates:
                    penalties[name] = penalties.get(name, 0) + intermediates[name].sum()
        return output[0] / self.gain, penalties

    def signals(self, stems: Tensor) -> Signals:
        """Return every node's output for ``(K, 2, L)`` stems, at the internal level."""
        return self._render(stems)[2]

    def _render(self, stems: Tensor) -> tuple[Tensor, list[dict[str, Tensor]], Signals]:
        """Render amplified stems, with thresholds raised by the same amount."""
        rise = 2 * math.log(self.gain)  # of ln of an energy
        parameters = {
            node_type: {name: value + rise if name == THRESHOLD else value for name, value in raw.items()}
            for node_type, raw in self.renderer.per_type_parameters.items()
        }
        weights = {WEIGHT: self.z_drywet.sigmoid()}
        stems = self.gain * stems.to(self.z_drywet.device)
        return render_grafx(self.renderer.processors, stems, parameters, self.renderer.render_data, weights)

    def graph(self) -> GRAFX:
        """Copy the graph with the current parameters and weights on its nodes."""
        G = self.renderer.graph()
        weights = self.z_drywet.detach().sigmoid().tolist()
        for node_id, data in G.nodes(data=True):
            if data["node_type"] in self.renderer.processors:
                data[WEIGHT] = weights[node_id]
                data["parameters"] = map_tensors(data["parameters"], Tensor.cpu)
        return G

    @property
    def processor_ids(self) -> list[int]:
        """Ids of the nodes that can be pruned."""
        return [i for i, data in self.G.nodes(data=True) if data["node_type"] in self.renderer.processors]


@in_usual_torch
def render_mix(
    G: GRAFX,
    stems: Tensor,
    sample_rate: float = SAMPLE_RATE,
    processors: Mapping[str, nn.Module] | None = None,
) -> Tensor:
    """Mix ``(K, 2, L)`` stems with a saved graph to ``(2, L)``.

    Args:
        G: The graph.
        stems: One for each ``in`` node, as in their files: those that the search moved or inverted are so here, see
            :func:`align`.
        sample_rate: In Hz.
        processors: Node type to processor, in addition to those of a console or in their place.
    """
    return mix_placed(G, placed_stems(tensor("stems", stems), placements_of(G)), sample_rate, processors)


@in_usual_torch
def mix_placed(
    G: GRAFX, stems: Tensor, sample_rate: float = SAMPLE_RATE, processors: Mapping[str, nn.Module] | None = None
) -> Tensor:
    """Mix as :func:`render_mix`, but stems that have been moved and inverted already, as in :attr:`Search.stems`."""
    stems = plain_tensor(stems)
    processors = hearing_processors(G, sample_rate, processors)
    if stems.shape[-1] > WHOLE_SECONDS * sample_rate and (stream := _stream_of(G, processors)) is not None:
        return _mix_in_blocks(stream, stems)
    renderer = Renderer(G, processors)
    with torch.no_grad():
        return renderer(stems, {WEIGHT: _weights(renderer.G)})[0]


def _stream_of(G: GRAFX, processors: Mapping[str, nn.Module]) -> StreamRenderer | None:
    """What mixes in blocks, unless a processor cannot."""
    try:
        return StreamRenderer(G, processors)
    except RenderError:
        return None


def _mix_in_blocks(stream: StreamRenderer, stems: Tensor) -> Tensor:
    """Mix in little memory, which else holds a signal of the song's length for each node."""
    common = {WEIGHT: _weights(stream.G)}
    mixed = [stream(block, common)[0] for block in stems.split(BLOCK, -1)]
    return torch.cat([*mixed, stream.finish(common, tail=False)[0]], -1)[:, stream.latency_samples :]


class MixStream:
    """Block-wise mixing with a saved graph, see :class:`StreamRenderer` and :func:`render_mix`.

    Arguments are those of :func:`render_mix`.

    Attributes:
        latency_samples: Latency of the mix.
    """

    @in_usual_torch
    def __init__(
        self, G: GRAFX, sample_rate: float = SAMPLE_RATE, processors: Mapping[str, nn.Module] | None = None
    ) -> None:
        self._placement = PlacementStream(placements_of(G))
        self._stream = StreamRenderer(G, hearing_processors(G, sample_rate, processors))
        self._common = {WEIGHT: _weights(self._stream.G)}
        self.latency_samples = self._placement.latency_samples + self._stream.latency_samples

    @in_usual_torch
    def __call__(self, stems: Tensor) -> Tensor:
        """Render the next block of the mix ``(2, L)`` from one of the stems, ``(K, 2, L)``."""
        placed, state = self._placement(stems)
        mixed = self._mixed(placed)
        self._placement.state = state
        return torch.nn.functional.pad(mixed, (stems.shape[-1] - placed.shape[-1], 0))

    @in_usual_torch
    def finish(self, tail: bool) -> Tensor:
        """Return the rest of the mix, see :meth:`StreamRenderer.finish`."""
        rest = self._mixed(self._placement.rest(tail))
        return torch.cat([rest, self._stream.finish(self._common, tail)[0]], -1)

    def _mixed(self, placed: Tensor) -> Tensor:
        return self._stream(placed, self._common)[0] if placed.shape[-1] else placed[0]


def _weights(G: GRAFX) -> Tensor:
    """Return the dry/wet weights of all nodes: 1 if missing, 0 if bypassed."""
    return torch.tensor([weight_of(node_id, G.nodes[node_id]) for node_id in sorted(G.nodes)])


def weight_of(node_id: int, data: Mapping[str, Any]) -> float:
    """Return the dry/wet weight of a node: 1 if missing, 0 if bypassed.

    Raises:
        GraphError: It is not a number from 0 to 1, or the node is no processor.
    """
    weight, bypass = data.get(WEIGHT, 1.0), data.get(BYPASS, False)
    inside = isinstance(weight, Real) and 0 <= weight <= 1  # pyright: ignore[reportOperatorIssue] – it does compare
    if not inside or isinstance(weight, bool):
        raise GraphError(f"Node {node_id} has the {WEIGHT} {weight!r}, which should be a number from 0 to 1.")
    if not isinstance(bypass, bool):
        raise GraphError(f"Node {node_id} has the attribute '{BYPASS}' {bypass!r}, which should be true or false.")
    if data["node_type"] in BUILT_IN_TYPES and (bypass or weight != 1):
        raise GraphError(f"Node {node_id} of type '{data['node_type']}' is no processor: it cannot be bypassed.")
    return 0.0 if bypass else float(weight)
