"""Which processors are linear, and which of them can change places without a change of sound."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch.nn as nn

from ... import processors as library
from ...data.attributes import BYPASS, WEIGHT
from ...parameters.settings import raw_row
from ...processors.contract import contract_of, latency_of
from ...processors.filter.base import RecursiveFilter
from ...search.mixing.weighted import SendGain, amplitude, inner

ALIKE = {
    *(library.ZeroPhaseFIREqualizer, library.NewZeroPhaseFIREqualizer),
    *(library.ParametricEqualizer, library.GraphicEqualizer),
    *(library.SchroederAllpass, library.AllpassLattice, library.FIRFilter),
    *(library.ToneStack, library.StackedStateVariableFilter, library.FeedbackDelay, library.ModalResonators),
}
"""Classes of time-invariant filters that are the same for all channels, besides those with recursive sections."""

STEREO = {
    *(library.MultitapDelay, library.PingPongDelay, library.HaasEnhancer, library.StereoWidener),
    *(library.STFTMaskedNoiseReverb, library.FilteredNoiseShapingReverb, library.VelvetNoiseReverb),
    *(library.ConvolutionReverb, library.FeedbackDelayNetwork, library.Freeverb),
}
"""Other time-invariant ones."""

MOVING = {
    *(library.Chorus, library.Flanger, library.Phaser, library.Vibrato),
    *(library.Tremolo, library.AutoPan, library.RotarySpeaker, library.RingModulator),
}
"""Those that change over time, and are linear all the same: one gain can stand before or after them."""

LEVELLING = {
    *(library.StereoGain, SendGain, library.SideGainImager),
    *(library.ZeroPhaseFIREqualizer, library.NewZeroPhaseFIREqualizer),
    *(library.ParametricEqualizer, library.GraphicEqualizer),
    *(library.PeakingFilter, library.LowShelf, library.HighShelf),
}
"""Gains and imagers, and what can be set so that it is one."""

PLACING = {library.Panner, library.StereoWidener}
"""Those that can be set so that they do nothing, but otherwise are what they are."""


class Stage(NamedTuple):
    """What a linear processor does, as far as its place in a chain goes.

    Attributes:
        channels: ``"alike"`` if all channels are filtered alike, ``"sides"`` if left and right are, each by its own,
            ``"middle"`` if middle and side are; None for all else.
        steady: Whether it does not change over time.
        instant: Whether a sample of the output comes from the same sample of the input alone.
        causal: Whether it comes from no later one.
        even: Whether it is one gain for all channels.
    """

    channels: str | None
    steady: bool
    instant: bool
    causal: bool
    even: bool = False

    def commutes(self, other: "Stage") -> bool:
        """Whether the two can change places, at the ends of the audio too."""
        if self.even or other.even:
            return True
        in_time = self.instant or other.instant or (self.causal and other.causal)
        in_space = "alike" in (self.channels, other.channels) or self.channels == other.channels is not None
        return self.steady and other.steady and in_time and in_space

    @property
    def rank(self) -> int:
        """Its place among those that it can stand beside: filters, imagers, gains, others."""
        return 2 if self.even else RANKS.get(self.channels or "", len(RANKS))


RANKS = {"alike": 0, "middle": 1, "sides": 2}


def stage_of(processor: nn.Module, data: Mapping[str, Any], place: str) -> Stage | None:
    """What a node does; None where it is not known to be linear.

    Args:
        processor: That of its type, in whatever wrappers.
        data: The attributes of the node.
        place: The node, for messages.
    """
    own = inner(processor)
    kind = type(own)
    if len(contract_of(processor).inlets) != 1:
        return None
    if kind is library.StereoGain:
        weight = 0.0 if data.get(BYPASS, False) else float(data.get(WEIGHT, 1.0))
        factors = amplitude(processor, raw_row(processor, data, place)["log_gain"].double(), weight)
        return Stage("sides", True, True, True, bool(factors.eq(factors[0]).all()))
    if kind is library.Panner:
        return Stage("sides", True, True, True)
    if kind is library.SideGainImager:
        return Stage("middle", True, True, True)
    causal = latency_of(own) == 0
    if _filters_alike(own):
        return Stage("alike", True, False, causal)
    return Stage(None, kind not in MOVING, False, causal) if kind in STEREO | MOVING or _is_filter(own) else None


def _filters_alike(processor: nn.Module) -> bool:
    return _is_filter(processor) and getattr(processor, "processor_channel", "mono") == "mono"


def _is_filter(processor: nn.Module) -> bool:
    kind = type(processor)
    ours = isinstance(processor, RecursiveFilter) and kind in vars(library).values()
    return (ours or kind in ALIKE) and not getattr(processor, "saturate", False)
