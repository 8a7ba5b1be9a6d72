"""Base classes of modulation effects."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ..arguments import bind, check_option
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, hz, ms
from ..core.bounds import safe_exp
from ..core.broadcasting import is_one_of
from ..core.maps import MARGIN, TO_SILENCE, exponential, sigmoid, tanh, within
from ..core.phase import running_phase
from ..core.precision import wide
from ..core.streaming import remember
from ..synth.oscillator import (
    BEYOND,
    RATES,
    SLOW_WAVES,
)

Raw = Mapping[str, Tensor]


Waveform = Literal["sine", "triangle", "saw", "square"]


FEEDBACK = 0.98  # the most there is


class Modulated(Processor):
    """Base class of effects with an LFO: their own, or the signal at an inlet ``"lfo"``.

    A subclass names its other raw parameters in ``own``, declares their controls and defines :meth:`modulate`.
    """

    latency_samples = 0
    own: tuple[str, ...]
    waveforms = tuple(SLOW_WAVES)
    default_rate = RATES[-1]  # Hz, at a raw parameter of 0
    spreads = True  # whether channels may be apart in phase

    def __init__(
        self,
        waveform: Waveform = "sine",
        external: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        check_option("waveform", waveform, self.waveforms)
        super().__init__(sample_rate, param_range)
        self.waveform = waveform
        self.external = external
        self.inlets = ("main", "lfo") if external else ("main",)

    def parameter_size(self) -> ParameterSize:
        lfo = () if self.external else ("log_rate", "phase", "spread")[: 3 if self.spreads else 2]
        return dict.fromkeys((*lfo, *self.own), 1)

    def declare_controls(self) -> list[Control]:
        low, high, _ = RATES
        rate = exponential(self.default_rate, floor=0)
        lfo = [
            hz("rate_hz", low, high, self.default_rate, "log_rate", map=rate),
            Control("phase_cycles", 0.0, 1.0, 0.0, "phase"),
            Control("spread_cycles", 0.0, 0.5, 0.0, "spread"),
        ]
        sizes = self.parameter_size()
        return [control for control in lfo if control.raw in sizes] + self.own_controls()

    @abstractmethod
    def own_controls(self) -> list[Control]:
        """Return the controls except those of the LFO."""

    def forward(self, *inlet_signals: Tensor, **raw_parameters: Tensor) -> Tensor:
        """Process signals.

        Args:
            inlet_signals: ``(B, C, L)``; with ``external``, also the LFO, ``(B, 1, L)`` or ``(B, C, L)``, which should
                be within ±1. Further positional arguments are raw parameters.
            raw_parameters: ``(B, 1)`` each.

        Returns:
            ``(B, C, L)``, or two channels for some classes.

        Raises:
            ParameterError: A signal or parameter is missing or unknown, or signals do not fit together.
        """
        (x, *lfo), raw = bind(self, self.inlets, inlet_signals, raw_parameters)
        if lfo and not is_one_of(lfo[0].shape[1], 1, x.shape[1]):
            raise ParameterError(
                f"The signal {tuple(lfo[0].shape)} at the inlet 'lfo' of {type(self).__name__} must have one channel, "
                f"or as many as {tuple(x.shape)} at 'main'."
            )
        return self.modulate(x, lfo[0] if lfo else self.oscillate(x, raw), raw)

    @abstractmethod
    def modulate(self, x: Tensor, swing: Tensor, raw: Raw) -> Tensor:
        """Process signals ``(B, C, L)`` with an LFO that broadcasts with them."""

    def oscillate(self, x: Tensor, raw: Raw, offsets: Tensor | None = None) -> Tensor:
        """Compute the LFO of each channel, ``(B, C, L)``, or ``(B, 1, L)`` if all are equal.

        Args:
            x: Signals ``(B, C, L)``.
            raw: Raw parameters.
            offsets: Cycles added to the phase, which broadcast.
        """
        rate = self.rate(raw)
        run = partial(running_phase, rate, self.sample_rate, x.new_zeros(1, 1, 1), x.shape[-1], None)
        phase = raw["phase"].unsqueeze(-1)
        if self.spreads:
            phase = phase + raw["spread"].unsqueeze(-1) * torch.arange(x.shape[1], device=x.device)[:, None]
        if offsets is not None:
            phase = phase + offsets
        increment = (rate / self.sample_rate).to(x.dtype).unsqueeze(-1)
        return SLOW_WAVES[self.waveform](remember(run, "phase") + phase, increment)

    def rate(self, raw: Raw) -> Tensor:
        """Compute the rate in Hz, ``(B, 1)``, in double precision."""
        return self.default_rate * safe_exp(wide(raw["log_rate"]))


MIX = sigmoid(-BEYOND, 1 + BEYOND)


LOOP = tanh(FEEDBACK)


def mix_control() -> Control:
    return Control("mix", 0.0, 1.0, 0.5, "z_mix", map=MIX)


def feedback_control() -> Control:
    return Control("feedback", -0.95, 0.95, 0.0, "z_feedback", map=LOOP)


def mixed(dry: Tensor, wet: Tensor, raw: Raw) -> Tensor:
    """Crossfade dry and wet signals ``(B, C, L)``."""
    return torch.lerp(dry, wet, MIX.to_physical(raw["z_mix"]).unsqueeze(-1).to(dry.dtype))


def loop_samples(round_trip: float, gain: float) -> int:
    """Compute how long a loop takes to decay by 60 dB."""
    return math.ceil(round_trip * TO_SILENCE / -math.log(gain)) if gain > 0 else 0


class ModulatedDelay(Modulated):
    """Base class of effects that modulate a delay time around its mean, both in milliseconds."""

    delays: tuple[float, float]  # ms
    depths: tuple[float, float]

    def __init__(
        self,
        waveform: Waveform = "sine",
        external: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(waveform, external, sample_rate, param_range)
        longest = self.delays[1] + self.depths[1]
        self.max_delay = max(1.0, (1 + 2 * MARGIN) * longest * sample_rate / 1000)

    def own_controls(self) -> list[Control]:
        return [
            self._control("delay_ms", "z_delay", self.delays),
            self._control("depth_ms", "z_depth", self.depths),
        ]

    def _control(self, name: str, raw: str, limits: tuple[float, float]) -> Control:
        return ms(name, *limits, sum(limits) / 2, raw, scale="linear", map=within(*limits))

    def delay(self, raw: Raw) -> Tensor:
        """Convert to samples ``(B, 1)`` in double precision."""
        return self.sample_rate / 1000 * within(*self.delays).to_physical(wide(raw["z_delay"]))

    def depth(self, raw: Raw) -> Tensor:
        """Convert to milliseconds ``(B, 1, 1)``."""
        return within(*self.depths).to_physical(raw["z_depth"]).unsqueeze(-1)
