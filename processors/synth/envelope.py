"""Envelopes, started at time 0 or by a gate."""

import math
from abc import abstractmethod
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ..arguments import bind, check_option
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, ms
from ..core.adsr import gated_adsr, timed_adsr
from ..core.bounds import safe_exp
from ..core.maps import TO_SILENCE, exponential, sigmoid
from ..core.precision import wide
from ..core.segments import segments
from ..core.streaming import remember

OPEN = 0.5  # a gate is open above
# Lowest, highest and default values.
TIMES = {
    "attack_ms": (0.01, 10000, 5.0),
    "decay_ms": (0.01, 20000, 100.0),
    "release_ms": (0.01, 20000, 200.0),
    "hold_ms": (0.01, 60000, 500.0),
}
BEYOND = 1e-3  # what sustained levels reach below 0 and above 1, so that both have a finite raw value
AMPLITUDES = 1e-3, 1e4, 1.0
RATES = 0.1, 1e4, 10.0  # 1/s


class Envelope(Processor):
    """Base class of envelopes: a generator, or a processor started by a gate.

    A subclass computes the generator in :meth:`_draw` and the gated envelope in :meth:`_follow`.
    """

    latency_samples = 0

    def __init__(self, gated: bool, sample_rate: float, param_range: ParamRange | None) -> None:
        super().__init__(sample_rate, param_range)
        self.gated = gated
        self.inlets = ("gate",) if gated else ()

    def forward(self, *inlet_signals: Tensor, num_samples: int | None = None, **raw_parameters: Tensor) -> Tensor:
        """Make envelopes.

        Args:
            inlet_signals: The gate ``(B, C, L)``, if there is one. It gets no gradient. Further positional arguments
                are raw parameters.
            num_samples: L, if there is no gate.
            raw_parameters: ``(B, 1)`` each.

        Returns:
            ``(B, C, L)``, or ``(B, 1, L)`` without a gate.

        Raises:
            ParameterError: A parameter is missing or unknown, or the length is given in another way.
        """
        signals, raw = bind(self, self.inlets, inlet_signals, raw_parameters)
        if self.gated != (num_samples is None):
            need = "is as long as its gate: leave num_samples out" if self.gated else "has no inlet: give num_samples"
            raise ParameterError(f"{type(self).__name__}(gated={self.gated}) {need}.")
        if self.gated:
            return remember(partial(self._follow, signals[0] > OPEN, signals[0].dtype, raw), "envelope")
        first_sample = remember(lambda count: (count or 0, (count or 0) + num_samples), "samples before")
        return self._draw(first_sample, num_samples, raw)

    @abstractmethod
    def _draw(self, first_sample: int, num_samples: int, raw: dict[str, Tensor]) -> Tensor:
        """Compute samples ``(B, 1, L)`` from the first one on."""

    @abstractmethod
    def _follow(
        self, held: Tensor, dtype: torch.dtype, raw: dict[str, Tensor], state: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Compute the envelope of a gate ``(B, C, L)``, open where ``held``, and the state after it."""


class ADSR(Envelope):
    r"""ADSR envelope: attack, decay, sustain and release.

    Held from time 0 on, it rises to 1 within the attack time A and falls towards the sustain level S with the decay
    time D; released at the time H, it falls to 0 with the release time R, from its current level:

    .. math::
        e(t) &= \begin{cases}
            t / A & t < A \\
            S + (1 - S)\,f\bigl((t - A) / D\bigr) & t \ge A
        \end{cases} \\
        y(t) &= \begin{cases}
            e(t) & t < H \\
            e(H)\,f\bigl((t - H) / R\bigr) & t \ge H
        \end{cases}

    with :math:`f(x) = 10^{-3x}`, so that D and R are times to −60 dB, or :math:`f(x) = \max(0, 1 - x)` if it is linear.
    Sample n is y(n / sample rate), so the first one is 0, and times may lie between samples: the output is
    differentiable in all of them. With H = A + D it has no sustained part, as for a drum.

    Without a gate it is a generator, ``ADSR()(num_samples=44100, dsp_params={…})``. With a gate it is held wherever
    the gate is above 0.5. Each time the gate opens, the attack starts again, from the current level with the slope 1/A;
    so it takes less time. A gate that is open for the first H seconds gives the same output as the generator.

    Controls: ``attack_ms`` is A, ``decay_ms`` D, ``sustain`` S, ``release_ms`` R; without a gate, ``hold_ms`` is H.

    Raw parameters:
        log_attack, log_decay, log_release, log_hold ``(B, 1)``: natural logarithms of times, relative to 5, 100, 200
            and 500 ms.
        z_sustain ``(B, 1)``: logit of S, between −0.001 and 1.001.

    Args:
        curve: ``"exponential"`` or ``"linear"``, of decay and release. The attack is linear.
        gated: Use an inlet ``"gate"`` in place of ``hold_ms``. Each of its channels has an envelope.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown curve.
    """

    def __init__(
        self,
        curve: Literal["exponential", "linear"] = "exponential",
        gated: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        check_option("curve", curve, ("exponential", "linear"))
        super().__init__(gated, sample_rate, param_range)
        self.curve = curve

    def parameter_size(self) -> ParameterSize:
        names = ("log_attack", "log_decay", "z_sustain", "log_release")
        return dict.fromkeys(names if self.gated else (*names, "log_hold"), 1)

    def declare_controls(self) -> list[Control]:
        return [
            Control("sustain", 0.0, 1.0, 0.5, raw, map=sigmoid(-BEYOND, 1 + BEYOND))
            if raw == "z_sustain"
            else _time(raw.removeprefix("log_") + "_ms", raw)
            for raw in self.parameter_size()
        ]

    def _draw(self, first_sample: int, num_samples: int, raw: dict[str, Tensor]) -> Tensor:
        dtype = raw["log_attack"].dtype
        hold = self._samples("hold", raw)
        return timed_adsr(*self._shape(raw), hold, num_samples, self.curve == "linear", dtype, first_sample)

    def _follow(
        self, held: Tensor, dtype: torch.dtype, raw: dict[str, Tensor], state: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return gated_adsr(held, *self._shape(raw), self.curve == "linear", dtype, state)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        release = self._samples("release", raw_parameters)
        return _longest(release if self.gated else release + self._samples("hold", raw_parameters))

    def _shape(self, raw: dict[str, Tensor]) -> tuple[Tensor, ...]:
        sustain = (1 + 2 * BEYOND) * torch.sigmoid(wide(raw["z_sustain"])) - BEYOND
        attack, decay, release = (self._samples(name, raw) for name in ("attack", "decay", "release"))
        return attack, decay, sustain, release

    def _samples(self, name: str, raw: dict[str, Tensor]) -> Tensor:
        """Convert a time ``(B, 1)`` to samples."""
        *_, reference = TIMES[f"{name}_ms"]
        return reference / 1000 * self.sample_rate * safe_exp(wide(raw[f"log_{name}"]))


class ExponentialEnvelope(Envelope):
    r"""Exponential decay, from time 0 or from each opening of a gate.

    .. math:: y(t) = a\,e^{-\lambda (t - t_0)}

    with the amplitude a and the rate λ; it falls to −60 dB within 6.91 / λ and to one half within 0.69 / λ. Sample n is
    y(n / sample rate).

    Without a gate, it is a generator, and :math:`t_0 = 0`. With a gate, :math:`t_0` is the last time that the gate rose
    above 0.5, before which there is silence. The length of the gate is ignored.

    Controls: ``amplitude`` is a, in Hz if it drives a frequency; ``decay_rate`` is λ, per second.

    Raw parameters:
        log_amplitude ``(B, 1)``: ln a.
        log_decay ``(B, 1)``: natural logarithm of λ, relative to 10 per second.

    Args:
        gated: Use an inlet ``"gate"``. Each of its channels has an envelope.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
    """

    def __init__(self, gated: bool = False, sample_rate: float = 44100, param_range: ParamRange | None = None) -> None:
        super().__init__(gated, sample_rate, param_range)

    def parameter_size(self) -> ParameterSize:
        return {"log_amplitude": 1, "log_decay": 1}

    def declare_controls(self) -> list[Control]:
        *_, rate = RATES
        return [
            Control("amplitude", *AMPLITUDES, "log_amplitude", scale="log", map=exponential(floor=0)),
            Control("decay_rate", *RATES, "log_decay", unit="1/s", scale="log", map=exponential(rate, floor=0)),
        ]

    def _draw(self, first_sample: int, num_samples: int, raw: dict[str, Tensor]) -> Tensor:
        amplitude, rate = self._shape(raw)
        start = base = torch.zeros_like(rate)
        shapes = torch.stack([start, base, amplitude, rate], -1).unsqueeze(-2)
        return segments(shapes, (False,), num_samples, raw["log_decay"].dtype, first_sample)

    def _follow(
        self, held: Tensor, dtype: torch.dtype, raw: dict[str, Tensor], state: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        amplitude, rate = self._shape(raw)
        none, time = torch.zeros_like(rate), TO_SILENCE / rate
        was_held = held.new_zeros(*held.shape[:-1], 1) if state is None else state[..., 2:] > 0.5
        opens = held & ~torch.cat([was_held, held], -1)[..., :-1]
        # The release continues the decay. An attack of zero length takes effect one sample later; here at once.
        decay, state = gated_adsr(held, none, time, none, time, dtype=dtype, state=state)
        return amplitude.to(dtype).unsqueeze(-1) * decay.masked_fill(opens, 1), state

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return _longest(TO_SILENCE / self._shape(raw_parameters)[1])

    def _shape(self, raw: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Compute the amplitude and the rate per sample, ``(B, 1)``."""
        *_, reference = RATES
        rate = reference / self.sample_rate * safe_exp(wide(raw["log_decay"]))
        return safe_exp(wide(raw["log_amplitude"])).expand_as(rate), rate


def _time(name: str, raw: str) -> Control:
    *_, reference = limits = TIMES[name]
    return ms(name, *limits, raw, map=exponential(reference, floor=0))


def _longest(samples: Tensor) -> int:
    return math.ceil(samples.detach().max()) if samples.numel() else 0
