"""Oscillators with modulation of frequency, phase and amplitude by other nodes."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cache, partial
from typing import Literal

import torch
from torch import Tensor

from ..arguments import check_option
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, hz
from ..core.bounds import safe_exp
from ..core.lasting import lasting
from ..core.maps import exponential, hertz, sigmoid
from ..core.oscillator import (
    pitch,
    rounded_saw,
    rounded_square,
    saw_series,
    sine,
    sine_series,
    square_series,
    triangle,
    triangle_series,
)
from ..core.phase import running_phase
from ..core.precision import wide
from ..core.streaming import remember
from ..core.wavetable import Wavetable
from .base import Added, Generator, Raw

CONCERT_PITCH = 440.0  # Hz
RATES = 0.01, 20.0, 1.0  # Hz, lowest, highest and default of an LFO
NUM_HARMONICS = 1024  # which reach the limit of hearing from 20 Hz on
BEYOND = 1e-3  # what positions reach below 0 and above 1, so that both have a finite raw value
SERIES = {"sine": sine_series, "triangle": triangle_series, "saw": saw_series, "square": square_series}
SLOW_WAVES = {
    "sine": lambda phase, _: sine(phase),
    "triangle": lambda phase, _: triangle(phase),
    "saw": rounded_saw,
    "square": rounded_square,
}


class Oscillator(Generator):
    """Base class of oscillators, with phase and amplitude. A subclass defines :meth:`wave`."""

    modulated: Mapping[str, str] = {"frequency": "z_frequency", "phase": "phase", "amplitude": "gain"}

    def __init__(
        self, inlets: Sequence[str] = (), sample_rate: float = 44100, param_range: ParamRange | None = None
    ) -> None:
        super().__init__(inlets, sample_rate, param_range)
        self.reference = min(CONCERT_PITCH, 0.1 * sample_rate)

    def declare_controls(self) -> list[Control]:
        low, high, _ = hertz(self.sample_rate)
        to_hertz = pitch(self.sample_rate, self.reference)
        return [
            hz("frequency_hz", low, high, self.reference, "z_frequency", map=to_hertz),
            Control("phase_cycles", 0.0, 1.0, 0.0, "phase"),
            Control("amplitude", 0.0, 1.0, 1.0, "gain"),
        ]

    def generate(self, num_samples: int, raw: Raw, added: Added) -> Tensor:
        frequency = pitch(self.sample_rate, self.reference).to_physical(wide(raw["z_frequency"]))
        offset = self.modulate("phase", raw, added)
        run = partial(running_phase, frequency, self.sample_rate, offset, num_samples, added.get("frequency"))
        increment = partial(self._increment, frequency.to(offset.dtype), added)
        return self.modulate("amplitude", raw, added) * self.wave(remember(run, "phase"), increment, raw, added)

    @abstractmethod
    def wave(self, phase: Tensor, increment: Callable[[], Tensor], raw: Raw, added: Added) -> Tensor:
        """Compute the waveform ``(B, C, L)`` over a phase in cycles.

        Args:
            phase: ``(B, C, L)``.
            increment: Computes the cycles from each sample to the next, ``(B, 1, 1)`` or ``(B, C, L)``.
            raw: Raw parameters.
            added: Signals at the inlets.
        """

    def _increment(self, frequency: Tensor, added: Added) -> Tensor:
        per_second = frequency.unsqueeze(-1)
        if "frequency" in added:
            per_second = per_second + added["frequency"]
        cycles = per_second / self.sample_rate
        return cycles + remember(partial(_differences, added["phase"]), "last phase") if "phase" in added else cycles


class SineOscillator(Oscillator):
    r"""Sine oscillator with modulation of frequency, phase and amplitude.

    .. math::
        y[n] = a[n] \sin 2\pi\theta[n], \quad
        \theta[n] = \varphi[n] + \frac{1}{f_s} \sum_{k=0}^{n-1} f[k]

    The frequency f in Hz, the phase φ in cycles and the amplitude a are constant, except for those named in ``inlets``:
    the signal at the inlet is added to the parameter, sample by sample and in the same unit. So a signal of ±100 at
    ``"frequency"`` is vibrato or frequency modulation by ±100 Hz, through zero if necessary; one of ±0.25 at
    ``"phase"`` is phase modulation by a quarter of a cycle; and one of ±1 at ``"amplitude"`` is amplitude modulation,
    in full at an amplitude of 1, and ring modulation at 0. Silence has no effect. Set a parameter to 0 if its inlet
    alone should control it, such as an envelope at ``"amplitude"``.

    Without inlets it is a generator, ``SineOscillator()(num_samples=44100, dsp_params={"frequency_hz": 440})``. In a
    graph, the first inlet must be connected; further ones are optional.

    The phase is summed without rounding errors, see :func:`~grafx.processors.core.phase.running_phase`: it does not
    drift, and blocks give the same output as one pass. Frequencies above half the sample rate alias.

    The control ``frequency_hz`` is f, ``phase_cycles`` φ and ``amplitude`` a. ``param_range`` may widen their ranges:
    ``{"frequency_hz": (0, 5000), "amplitude": (0, 200)}``, for example, for an oscillator that drives the frequency of
    another one.

    Raw parameters:
        z_frequency ``(B, 1)``: f = (f_s / 2 + ε) σ(z + b) − ε, where z = 0 is 440 Hz and ε = 0.01 Hz.
        phase ``(B, 1)``: φ in cycles.
        gain ``(B, 1)``: a, of any sign.

    Args:
        inlets: Any of ``"frequency"``, ``"phase"`` and ``"amplitude"``, in the order of the signals.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An inlet is unknown, or named twice.

    References:
        Frequency modulation, Chowning, "The synthesis of complex audio spectra by means of frequency modulation", JAES
        21(7), 1973; signals that add to parameters, the audio parameters of the Web Audio API, W3C, 2021.
    """

    def wave(self, phase: Tensor, increment: Callable[[], Tensor], raw: Raw, added: Added) -> Tensor:
        return sine(phase)


class BandLimitedOscillator(Oscillator):
    """Oscillator that reads a basic waveform from a :class:`~grafx.processors.core.wavetable.Wavetable`."""

    waveform: str

    def __init__(
        self, inlets: Sequence[str] = (), sample_rate: float = 44100, param_range: ParamRange | None = None
    ) -> None:
        super().__init__(inlets, sample_rate, param_range)
        self.wavetable = _basic(self.waveform)

    def wave(self, phase: Tensor, increment: Callable[[], Tensor], raw: Raw, added: Added) -> Tensor:
        return self.wavetable(phase, increment())


class SawOscillator(BandLimitedOscillator):
    r"""Band-limited saw oscillator, which rises from −a to a, and jumps down at the phase 0.

    .. math::
        y[n] = -\frac{2 a[n]}{\pi} \sum_{k=1}^{1024} \frac{g_k[n]}{k} \sin 2\pi k \theta[n], \quad
        \theta[n] = \varphi[n] + \frac{1}{f_s} \sum_{k=0}^{n-1} f[k]

    The gains g pass all harmonics below half the sample rate, and none above. They fade within two semitones below it,
    according to the instantaneous frequency; so a sweep causes no clicks, and the output is differentiable. The
    remaining aliases are interpolation errors, in total 115 dB below the harmonics, see
    :class:`~grafx.processors.core.wavetable.Wavetable`. Only sidebands of fast modulation can exceed half the sample
    rate. A frequency above that is silent, and a negative one runs backwards.

    Modulation, controls and raw parameters are those of :class:`SineOscillator`. The frequency includes that of the
    signal at ``"phase"``, so a jump there may silence all harmonics for a sample.

    Args:
        inlets: Any of ``"frequency"``, ``"phase"`` and ``"amplitude"``, in the order of the signals.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An inlet is unknown, or named twice.
    """

    waveform = "saw"


class SquareOscillator(BandLimitedOscillator):
    r"""Band-limited square oscillator: a for half a cycle from the phase 0 on, and −a for the other half.

    .. math:: y[n] = \frac{4 a[n]}{\pi} \sum_{k = 1, 3, \ldots, 1023} \frac{g_k[n]}{k} \sin 2\pi k \theta[n]

    Everything else is as in :class:`SawOscillator`.

    Args:
        inlets: Any of ``"frequency"``, ``"phase"`` and ``"amplitude"``, in the order of the signals.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An inlet is unknown, or named twice.
    """

    waveform = "square"


class TriangleOscillator(BandLimitedOscillator):
    r"""Band-limited triangle oscillator, which rises from 0 at the phase 0, and turns at a and −a.

    .. math::
        y[n] = \frac{8 a[n]}{\pi^2} \sum_{k = 1, 3, \ldots, 1023} \frac{g_k[n]}{k^2} \sin \frac{\pi k}{2}\,
            \sin 2\pi k \theta[n]

    Everything else is as in :class:`SawOscillator`.

    Args:
        inlets: Any of ``"frequency"``, ``"phase"`` and ``"amplitude"``, in the order of the signals.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An inlet is unknown, or named twice.
    """

    waveform = "triangle"


class WavetableOscillator(Oscillator):
    r"""Band-limited oscillator that interpolates between arbitrary waveforms.

    .. math::
        y[n] = a[n] \bigl((1 - r)\,w_i(\theta[n]) + r\,w_{i+1}(\theta[n])\bigr), \quad
        i + r = p[n]\,(N - 1), \quad 0 \le r < 1

    The harmonics of each of the N waveforms w are limited to half the sample rate, as in :class:`SawOscillator`. The
    position p goes from 0 for the first waveform to 1 for the last one; other values are clipped.

    Controls: those of :class:`SineOscillator` and, for several waveforms, ``position``.

    Raw parameters:
        z_frequency, phase, gain ``(B, 1)``: as those of :class:`SineOscillator`.
        z_position ``(B, 1)``: for several waveforms, logit of p, between −0.001 and 1.001.

    Args:
        tables: One cycle of each waveform, ``(N, S)``, or ``(S,)`` for one. S samples hold the harmonics below S/2. By
            default sine, triangle, saw and square, with 1024 harmonics.
        inlets: Any of ``"frequency"``, ``"phase"``, ``"amplitude"`` and, for several waveforms, ``"position"``, in the
            order of the signals. They are added to the parameters.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: ``tables`` are not waveforms; an inlet is unknown, or named twice.

    References:
        Shan et al., "Differentiable wavetable synthesis", ICASSP 2022.
    """

    def __init__(
        self,
        tables: Tensor | None = None,
        inlets: Sequence[str] = (),
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        wavetable = _basic(*SERIES) if tables is None else Wavetable(_series_of(tables))
        self.modulated = dict(Oscillator.modulated)
        if wavetable.num_tables > 1:
            self.modulated["position"] = "z_position"
        super().__init__(inlets, sample_rate, param_range)
        self.wavetable = wavetable

    def declare_controls(self) -> list[Control]:
        position = Control("position", 0.0, 1.0, 0.0, "z_position", map=sigmoid(-BEYOND, 1 + BEYOND))
        return super().declare_controls() + [position] * (self.wavetable.num_tables > 1)

    def wave(self, phase: Tensor, increment: Callable[[], Tensor], raw: Raw, added: Added) -> Tensor:
        if self.wavetable.num_tables == 1:
            return self.wavetable(phase, increment())
        position = (1 + 2 * BEYOND) * torch.sigmoid(raw["z_position"].unsqueeze(-1)) - BEYOND
        position = position + added["position"] if "position" in added else position
        return self.wavetable(phase, increment(), position * (self.wavetable.num_tables - 1))


class LFO(Processor):
    r"""Low-frequency oscillator: a slow modulation signal for an inlet of another node.

    .. math:: y[n] = o + d\,w(\varphi + n f / f_s)

    The waveforms w oscillate between −1 and 1. Sine, triangle and square begin like a sine at the phase 0, rising from
    0; a saw jumps down there, and rises in between. They are not band-limited, and jumps take two samples, so that they
    are differentiable in rate and phase.

    It is a generator, called with ``num_samples``. The unit of its output is that of the inlet it drives: with a depth
    of 5, an LFO at the inlet ``"frequency"`` of an oscillator is vibrato by ±5 Hz.

    The control ``rate_hz`` is f, ``phase_cycles`` φ, ``depth`` d and ``offset`` o. ``param_range`` may widen their
    ranges: ``{"depth": (0, 100)}``.

    Raw parameters:
        log_rate ``(B, 1)``: ln f.
        phase ``(B, 1)``: φ in cycles.
        gain ``(B, 1)``: d, of any sign.
        bias ``(B, 1)``: o.

    Args:
        waveform: ``"sine"``, ``"triangle"``, ``"saw"`` or ``"square"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown waveform.
    """

    latency_samples = 0
    inlets = ()

    def __init__(
        self,
        waveform: Literal["sine", "triangle", "saw", "square"] = "sine",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        check_option("waveform", waveform, tuple(SLOW_WAVES))
        super().__init__(sample_rate, param_range)
        self.waveform = waveform

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("log_rate", "phase", "gain", "bias"), 1)

    def declare_controls(self) -> list[Control]:
        return [
            hz("rate_hz", *RATES, "log_rate", map=exponential(floor=0)),
            Control("phase_cycles", 0.0, 1.0, 0.0, "phase"),
            Control("depth", 0.0, 1.0, 1.0, "gain"),
            Control("offset", -1.0, 1.0, 0.0, "bias"),
        ]

    def forward(self, num_samples: int, log_rate: Tensor, phase: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        """Generate the modulation signal.

        Args:
            num_samples: L.
            log_rate, phase, gain, bias: ``(B, 1)``.

        Returns:
            ``(B, 1, L)``.
        """
        rate = safe_exp(wide(log_rate))
        turns = remember(
            partial(running_phase, rate, self.sample_rate, phase.unsqueeze(-1), num_samples, None), "phase"
        )
        increment = (rate / self.sample_rate).to(turns.dtype).unsqueeze(-1)
        return bias.unsqueeze(-1) + gain.unsqueeze(-1) * SLOW_WAVES[self.waveform](turns, increment)


def _basic(*waveforms: str) -> Wavetable:
    """Return basic waveforms, with their Fourier series computed once."""
    return deepcopy(_computed(*waveforms))


@cache
@lasting()
def _computed(*waveforms: str) -> Wavetable:
    return Wavetable(torch.stack([SERIES[name](NUM_HARMONICS) for name in waveforms]))


def _series_of(tables: Tensor) -> Tensor:
    """Compute Fourier coefficients ``(N, K + 1)`` of samples ``(N, S)`` or ``(S,)``, for K below S/2."""
    if tables.ndim not in (1, 2) or 0 in tables.shape or tables.is_complex():
        raise ParameterError(
            "tables must be one cycle of each waveform, real numbers (waveforms, samples) or (samples,), not "
            f"{tables.dtype} of shape {tuple(tables.shape)}."
        )
    length = tables.shape[-1]
    series = torch.fft.rfft(tables.detach().double().reshape(-1, length), norm="forward")
    series[:, 1:] *= 2  # for negative frequencies
    return series[:, : (length + 1) // 2]


def _differences(x: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Compute x[n] − x[n − 1], 0 for the very first sample, and the last sample of x."""
    if x.shape[-1] == 0:
        return x, before
    first = x[..., :1] if before is None else before
    return torch.cat([first, x], -1).diff(), x[..., -1:].clone()
