"""Reverberation by velvet noise."""

import math
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_known, check_optional
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, db
from ..core.bounds import safe_exp, soft_bound
from ..core.channels import filter_channels, filters_of_channels, num_filter_channels
from ..core.convolution import FIRConvolution
from ..core.crossover_responses import linkwitz_riley, split_bands
from ..core.decay import decaying_sum
from ..core.fir import ZeroPhaseFIR, normalize_impulse
from ..core.lengths import samples_of
from ..core.maps import TO_SILENCE, exponential
from ..core.octaves import octave_centres
from ..core.recent import recent

COLORS = ("bands", "dark", "segments")
ORDER = 4  # of the Butterworth filters between octaves, two of which in a row make each edge
DECAY_BOUNDS = 4.0, 1.0  # of the logarithm of seconds


class VelvetNoiseReverb(Processor):
    r"""Velvet-noise reverb: its impulse response is sparse pulses of either sign, smoother than other noise.

    .. math:: y = u * \frac{h}{\lVert h \rVert}, \quad v[n] = \sum_m s_m\,\delta[n - k_m], \quad
        k_m = \mathrm{round}\bigl(m T + r_m (T - 1)\bigr)

    Each period of T samples (the sample rate divided by the density) contains one pulse at a random position with a
    random sign. Both are drawn once from a seed, separately for each channel. The response h has unit energy, averaged
    over the channels (after conversion to left and right). It is coloured in one of three ways:

    - ``color="bands"``: the noise is split into K octaves, from 62.5 Hz up, by a zero-phase Linkwitz–Riley crossover
      network, and each has a level and an exponential decay,
      :math:`h[n] = \sum_k 10^{g_k / 20}\,10^{-3 n / (f_s T_k)}\,v_k[n]`.
    - ``"dark"``: each pulse is a rectangle, of 1, 2, 3 to 4, 5 to 8, … or up to :math:`2^{K-1}` samples, drawn with
      equal probability and equal energy, and those of one range of widths have a level and an exponential decay. Wide
      pulses sound dark; by default they last longer, since reverberation in rooms gets darker.
    - ``"segments"``: the response is divided into M segments, each of which is filtered by a zero-phase FIR with
      K magnitudes, evenly spread from 0 Hz to the Nyquist frequency. The decay is that of the magnitudes alone, so that
      a reverb can also swell, or be gated.

    Controls: ``t60_s`` is T and ``level_db`` g of each of K bands or widths; ``magnitude_db`` has K frequencies in M
    segments.

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        log_decay ``(B, C', K)``: natural logarithms of T in seconds; beyond ±4 they are bounded to ±5. Not for
            segments.
        log_level ``(B, C', K)``: natural logarithms of the levels; not for segments.
        log_magnitude ``(B, C', M, K)``: natural logarithms of the magnitudes; for segments only.

    Args:
        ir_len: Length of the response in samples.
        color: ``"bands"``, ``"dark"`` or ``"segments"``.
        density: Pulses per second. It sounds smooth from about 1500 on.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        num_widths: K, the number of octaves of widths, for ``"dark"``.
        num_segments: M, for ``"segments"``.
        num_magnitudes: K, for ``"segments"``; the filters have 2 K − 1 taps.
        seed: Random seed of the pulses. Other seeds give other responses that sound alike.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        ir_s: Length of the response in seconds, in place of ``ir_len``, for any sample rate.
        **conv: Options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Raises:
        ParameterError: An option is unknown or out of range.

    References:
        Karjalainen and Järveläinen, "Reverberation modeling using velvet noise", 30th AES Conference, 2007; rectangles,
        Fagerström et al., "Dark velvet noise", DAFx 2022, and their levels over time, Fagerström, Schlecht and
        Välimäki, "Non-exponential reverberation modeling using dark velvet noise", JAES 72(6), 2024; segments, Välimäki
        et al., "Late reverberation synthesis using filtered velvet noise", Applied Sciences 7(5), 2017.
    """

    latency_samples = 0

    noise: Tensor

    def __init__(
        self,
        ir_len: int = 60000,
        color: Literal["bands", "dark", "segments"] = "bands",
        density: float = 2000.0,
        processor_channel: str = "stereo",
        num_widths: int = 5,
        num_segments: int = 20,
        num_magnitudes: int = 16,
        seed: int = 0,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        ir_s: float | None = None,
        **conv,
    ) -> None:
        super().__init__(sample_rate, param_range)
        ir_len = samples_of(ir_len, ir_s, sample_rate, "ir_s")
        check_known("color", color, COLORS)
        if not 0 < density <= sample_rate:
            raise ParameterError(f"density must be from 0 to {sample_rate:g} pulses per second, not {density:g}.")
        for name, number in (("num_widths", num_widths), ("num_segments", num_segments), ("ir_len", ir_len)):
            if number < 1:
                raise ParameterError(f"{name} must be at least 1, not {number}.")
        self.ir_len, self.color, self.density = ir_len, color, density
        self.processor_channel = processor_channel
        self.num_channels = num_filter_channels(processor_channel)
        self.conv = FIRConvolution(mode="causal", **conv)
        self.num_segments = num_segments
        self.fir = ZeroPhaseFIR(num_magnitudes) if color == "segments" else None
        self.num_bands = {"bands": 0, "dark": num_widths, "segments": num_magnitudes}[color]
        pulses = [_Pulses(ir_len, sample_rate / density, (seed, channel)) for channel in range(self.num_channels)]
        if color == "dark":
            noise = torch.stack([each.rectangles(num_widths) for each in pulses])
        else:
            noise = torch.stack([each.noise() for each in pulses])
        if color == "bands":
            centres = torch.tensor(octave_centres(sample_rate), dtype=torch.float64)
            self.num_bands = len(centres)
            edges = torch.sqrt(centres[1:] * centres[:-1])
            noise = split_bands(noise, linkwitz_riley(edges.tolist(), sample_rate, ORDER, ir_len, True))
        self.register_constant("noise", noise.float())

    def parameter_size(self) -> ParameterSize:
        if self.color == "segments":
            return {"log_magnitude": (self.num_channels, self.num_segments, self.num_bands)}
        return dict.fromkeys(("log_decay", "log_level"), (self.num_channels, self.num_bands))

    def declare_controls(self) -> list[Control]:
        if self.color == "segments":
            fall = torch.linspace(0, -60, self.num_segments)[:, None].expand(self._shape("log_magnitude"))
            default = _nested(fall.squeeze())
            return [db("magnitude_db", -60, 24, default, "log_magnitude")]
        default = 1.0
        if self.color == "dark":
            default = _nested(torch.logspace(-0.5, 0.2, self.num_bands).expand(self._shape("log_decay")).squeeze())
        return [
            Control("t60_s", 0.05, 20, default, "log_decay", unit="s", scale="log", map=exponential(floor=0)),
            db("level_db", -60, 24, 0.0, "log_level"),
        ]

    def forward(
        self,
        input_signals: Tensor,
        log_decay: Tensor | None = None,
        log_level: Tensor | None = None,
        log_magnitude: Tensor | None = None,
    ) -> Tensor:
        """Reverberate.

        Args:
            input_signals: ``(B, C, L)``.
            log_decay: ``(B, C', K)``, not for segments.
            log_level: ``(B, C', K)``, not for segments.
            log_magnitude: ``(B, C', M, K)``, for segments only.

        Returns:
            The wet signals ``(B, C, L)``, stereo if there are two filters.

        Raises:
            ParameterError: A ``"midside"`` reverb of a signal that is not stereo; a parameter is missing, or given
                although the options exclude it.
        """
        check_optional(self, log_decay=log_decay, log_level=log_level, log_magnitude=log_magnitude)
        fir = recent(self._response, log_decay, log_level, log_magnitude)
        return filter_channels(input_signals, fir, self.processor_channel, self.conv)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return self.ir_len - 1

    def _response(self, log_decay: Tensor | None, log_level: Tensor | None, log_magnitude: Tensor | None) -> Tensor:
        if log_magnitude is not None:
            fir = self._segments(log_magnitude)
        else:
            assert log_decay is not None and log_level is not None, "forward has seen to it"
            rates = TO_SILENCE / self.sample_rate * torch.exp(-soft_bound(log_decay, *DECAY_BOUNDS))
            noise = self.noise.to(log_level.dtype).unsqueeze(0)
            fir = decaying_sum(noise, safe_exp(log_level).unsqueeze(-1), rates.unsqueeze(-1))
        return normalize_impulse(filters_of_channels(fir, self.processor_channel))

    def _segments(self, log_magnitude: Tensor) -> Tensor:
        """Filter each segment by its own response, and overlap-add them."""
        size = -(-self.ir_len // self.num_segments)
        if not log_magnitude.numel():
            return log_magnitude.new_zeros(*log_magnitude.shape[:2], self.ir_len)
        assert self.fir is not None, "segments have filters"
        filters = self.fir(log_magnitude)
        taps = filters.shape[-1]
        noise = F.pad(self.noise.to(filters), (0, size * self.num_segments - self.ir_len))
        noise = noise.unflatten(-1, (self.num_segments, size))
        length = size + taps - 1
        spectra = torch.fft.rfft(noise, length) * torch.fft.rfft(filters, length)
        colored = torch.fft.irfft(spectra, length)
        total = F.fold(
            colored.flatten(0, 1).mT,
            (1, size * (self.num_segments - 1) + length),
            (1, length),
            stride=(1, size),
        )
        start = taps // 2  # the time origin of the filters
        return total.view(*colored.shape[:2], -1)[..., start : start + self.ir_len]

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.parameter_size()[name]


class _Pulses:
    """Times and signs of velvet noise, with the shapes of its pulses."""

    def __init__(self, num_samples: int, period: float, seed: tuple[int, int]) -> None:
        count = math.ceil(num_samples / period)
        self._random = np.random.RandomState(np.random.SeedSequence(seed).generate_state(4))
        place, sign = self._random.uniform(size=(2, count))
        times = np.round(np.arange(count) * period + place * (period - 1)).astype(int)
        inside = times < num_samples
        self._num_samples, self._times, self._signs = (
            num_samples,
            times[inside],
            np.where(sign < 0.5, -1.0, 1.0)[inside],
        )

    def noise(self) -> Tensor:
        """Draw single-sample pulses, ``(num_samples)``."""
        noise = np.zeros(self._num_samples)
        noise[self._times] = self._signs
        return torch.from_numpy(noise)

    def rectangles(self, num_widths: int) -> Tensor:
        """Draw the rectangles of each octave of widths, ``(num_widths, num_samples)``."""
        octave = self._random.randint(num_widths, size=len(self._times))
        width = np.ceil(2.0**octave * (1 - self._random.uniform(size=len(octave)) / 2)).astype(int)
        steps = np.zeros((num_widths, self._num_samples + 2**num_widths))
        np.add.at(steps, (octave, self._times), self._signs / np.sqrt(width))
        np.add.at(steps, (octave, self._times + width), -self._signs / np.sqrt(width))
        return torch.from_numpy(np.cumsum(steps, -1)[:, : self._num_samples])


def _nested(values: Tensor) -> float | tuple:
    """Convert numbers to nested tuples."""
    return tuple(map(_nested, values)) if values.ndim else values.item()
