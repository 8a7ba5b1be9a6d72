"""Dynamic equalizer, whose gains follow the level in its bands."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import bind
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, db, hz, ms
from ..core import butterworth, cookbook
from ..core.band_energy import band_energy
from ..core.biquad import decay_samples
from ..core.bounds import soft_bound, soft_bound_sum
from ..core.envelope import Ballistics
from ..core.knees import quadratic_knee
from ..core.maps import NEPER, RECIPROCAL, Map, exponential, frequency, hertz, linear, time_constant
from ..core.precision import wide
from ..core.state_variable import biquads
from ..core.streaming import once
from .base import LOW_FLOOR, THRESHOLD, threshold

Direction = Literal["above", "below"]

DIRECTIONS = {"above": 1.0, "below": -1.0}
RANGE_DB = -6.0  # of a raw parameter of 0
KNEE = 12 / NEPER  # 6 dB, ln of an energy
LOWEST, HIGHEST = 80.0, 8000.0  # Hz, between which bands lie by default
# Lowest, highest and default values.
RANGES = {
    "gain_db": (-24, 24, 0.0),
    "threshold_db": (-80, 0, -30.0),
    "ratio": (1, 20, 4.0),
    "range_db": (-24, 24, RANGE_DB),
    "attack_ms": (0.1, 200, 10.0),
    "release_ms": (5, 2000, 100.0),
}


class DynamicEqualizer(Processor):
    r"""Dynamic equalizer of K bands: the gain of each band follows its level.

    The bands are in series. Each adds a multiple of a band of its input,

    .. math:: y[n] = u[n] + (G[n] - 1)\,(f * u)[n], \quad G = e^{s + d}

    where f is a band-pass of the frequency ω₀ and the quality Q that is 1 at ω₀, so that a steady gain makes it a peak
    of exactly G; with shelves, the first band has a low-pass of first order in its place, and the last one a
    high-pass. The static gain is s, and d follows the level L of the band f * u of the equalizer's input (or of the
    sidechain):

    .. math:: d = \operatorname{sgn}(r)\,\frac{1}{2}\left(1 - \frac{1}{R}\right)
        \left(k(L - T) - k\Bigl(L - T - \frac{|r|}{\frac12 (1 - 1/R)}\Bigr)\right), \quad L = \ln(e + 10^{-13})

    where e is its energy, averaged over channels and smoothed, and k a ramp with a knee of 6 dB. So for each decibel
    over the threshold T, the gain moves by 1 − 1/R decibels, in the direction of the range r, and at most by r. With
    the direction ``"below"`` it moves for each decibel under the threshold. A negative range above is compression, a
    positive one expansion; below, it is the other way round.

    The energy is free of ripple at ω₀, see :func:`~grafx.processors.core.band_energy.band_energy`, so the curve holds
    for sines there for all times. Only gains move, not poles, so nothing clicks or rings.

    Controls for each of K bands: ``frequency_hz``, ``q`` (of peaks only), ``gain_db`` (s), ``threshold_db``, ``ratio``
    (R), ``range_db`` (r), ``attack_ms`` and ``release_ms``. Thresholds are 10·log₁₀ of energies, as in
    :class:`Compressor`: a sine of amplitude a has 20·log₁₀ a − 3 dB. Times are time constants, to 1 − 1/e of the
    energy.

    Raw parameters:
        w0 ``(B, K)``: ω₀ = πσ(w0 + c), where c spreads the bands from 80 Hz to 8 kHz for 0.
        q_inv ``(B, K)``, or ``(B, K - 2)`` with shelves: natural logarithms of 1/Q.
        log_gain ``(B, K)``: s, natural logarithm of an amplitude. Beyond ±10 (87 dB), in all bands together beyond ±15,
            gains are bounded softly, and so are ranges.
        log_threshold ``(B, K)``: T + 6, natural logarithm of an energy.
        log_ratio ``(B, K)``: R = 1 + exp(log_ratio).
        log_range ``(B, K)``: r, natural logarithm of an amplitude, of which 0 is −6 dB.
        z_alpha ``(B, K, 2)``: logits of the coefficients of attack and release.

    Args:
        num_bands: K, at least 1, or 2 with shelves.
        use_shelving_filters: Use shelves at the ends. Otherwise all bands are peaks.
        direction: ``"above"`` or ``"below"`` for all bands, or one of these for each.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gains. In a graph
            it reads silence while nothing is connected.

    Raises:
        ParameterError: Too few bands, or an unknown direction, or not one for each band.

    References:
        Zölzer (ed.), "DAFX: digital audio effects", 2nd edition, Wiley, 2011, chapters 2 and 4; the curve, Giannoulis,
        Massberg and Reiss, "Digital dynamic range compressor design — a tutorial and analysis", JAES 60(6), 2012.
    """

    latency_samples = 0

    def __init__(
        self,
        num_bands: int = 4,
        use_shelving_filters: bool = True,
        direction: Direction | Sequence[Direction] = "above",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        *,
        sidechain: bool = False,
    ) -> None:
        super().__init__(sample_rate, param_range)
        least = 2 if use_shelving_filters else 1
        if num_bands < least:
            shelves = " with shelving filters" if use_shelving_filters else ""
            raise ParameterError(f"num_bands must be at least {least}{shelves}, not {num_bands}.")
        directions = (direction,) * num_bands if isinstance(direction, str) else tuple(direction)
        if len(directions) != num_bands or not {*directions} <= {*DIRECTIONS}:
            raise ParameterError(
                f"direction must be 'above' or 'below', or one of these for each of {num_bands} bands, not "
                f"{direction!r}."
            )
        self.num_bands = num_bands
        self.use_shelving_filters = use_shelving_filters
        self.directions = directions
        self.inlets = ("main", "sidechain") if sidechain else ("main",)
        self.smoother = Ballistics()

    def parameter_size(self) -> ParameterSize:
        peaks = self.num_bands - 2 if self.use_shelving_filters else self.num_bands
        names = ("w0", "q_inv", "log_gain", "log_threshold", "log_ratio", "log_range")
        size: ParameterSize = {**dict.fromkeys(names, self.num_bands), "q_inv": peaks, "z_alpha": (self.num_bands, 2)}
        return {name: n for name, n in size.items() if n}

    def declare_controls(self) -> list[Control]:
        low, high, _ = hertz(self.sample_rate)
        controls = [hz("frequency_hz", low, high, self._usual(), "w0", map=self._frequency())]
        if "q_inv" in self.parameter_size():
            controls.append(Control("q", 0.1, 20, 0.7071, "q_inv", scale="log", map=RECIPROCAL))
        time = time_constant(self.sample_rate)
        return [
            *controls,
            db("gain_db", *RANGES["gain_db"], "log_gain"),
            db("threshold_db", *RANGES["threshold_db"], "log_threshold", map=THRESHOLD),
            Control("ratio", *RANGES["ratio"], "log_ratio", scale="log", map=exponential(offset=1)),
            db("range_db", *RANGES["range_db"], "log_range", map=linear(NEPER, RANGE_DB)),
            ms("attack_ms", *RANGES["attack_ms"], "z_alpha", index=0, map=time),
            ms("release_ms", *RANGES["release_ms"], "z_alpha", index=1, map=time),
        ]

    def forward(self, *inlet_signals: Tensor, **raw_parameters: Tensor) -> Tensor:
        """Equalize.

        Args:
            inlet_signals: ``(B, C, L)``; with a sidechain, a second one ``(B, C', L)``, whose levels drive the gains.
                Further positional arguments are raw parameters.
            raw_parameters: ``(B, K)``, see :meth:`parameter_size`.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: A parameter is missing, or given although the options exclude it.
        """
        signals, raw = bind(self, self.inlets, inlet_signals, raw_parameters)
        w0, sos = once(self._sections, raw["w0"], raw.get("q_inv"))
        static = soft_bound_sum(soft_bound(raw["log_gain"], 10, 5), 15, 5)
        most = soft_bound_sum(soft_bound(raw["log_range"] + RANGE_DB / NEPER, 10, 5), 15, 5)
        # The previous bands may have amplified it this much.
        loudest = torch.exp(F.relu(static + F.relu(most)).cumsum(-1) - F.relu(static + F.relu(most)))
        y = signals[0]
        for band, direction in enumerate(self.directions):
            k = slice(band, band + 1)
            energy = self._energy(signals[-1], w0[:, k], sos[:, band], raw["z_alpha"][:, band])
            moving = ranged(energy, threshold(raw)[:, k], raw["log_ratio"][:, k], most[:, k], DIRECTIONS[direction])
            change = torch.expm1(moving + static[:, k]).unsqueeze(1)
            y = y + change * biquads(y, sos[:, band], loudest[:, k])
        return y

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        _, sos = self._sections(raw_parameters["w0"], raw_parameters.get("q_inv"))
        return decay_samples(sos[:, :, 0, 0, 3:])

    def _energy(self, key: Tensor, w0: Tensor, sos: Tensor, z_alpha: Tensor) -> Tensor:
        """Compute the level of a band, averaged over channels and smoothed, ``(B, L)``."""
        return self.smoother(band_energy(biquads(key, sos), w0), z_alpha)

    def _sections(self, w0: Tensor, q_inv: Tensor | None) -> tuple[Tensor, Tensor]:
        """Frequencies ``(B, K)`` and the filters of the bands, ``(B, K, 1, 1, 6)``.

        The axes of 1 are a channel and a section.
        """
        middles = w0.new_tensor([math.log(f / (self.sample_rate / 2 - f)) for f in self._usual()])
        w0, _ = cookbook.from_raw(wide(w0) + middles, torch.zeros_like(w0))
        designs = []
        peaks = w0
        if self.use_shelving_filters:
            first, peaks, last = w0.tensor_split([1, self.num_bands - 1], -1)
            designs = [_first_order(butterworth.low_pass, first), _first_order(butterworth.high_pass, last)]
        if q_inv is not None:
            _, q_inv = cookbook.from_raw(torch.zeros_like(q_inv), q_inv)
            designs.insert(1, torch.cat(cookbook.band_pass(peaks, q_inv), -1))
        return w0, torch.cat(designs, 1)[:, :, None, None]

    def _usual(self) -> tuple[float, ...]:
        count, highest = self.num_bands, min(HIGHEST, 0.4 * self.sample_rate)
        if count == 1:
            return (min(1000.0, 0.1 * self.sample_rate),)
        return tuple(LOWEST * (highest / LOWEST) ** (k / (count - 1)) for k in range(count))

    def _frequency(self) -> Map:
        to_raw, to_physical = frequency(self.sample_rate)
        middles = torch.tensor(self._usual(), dtype=torch.float64)
        middles = torch.log(middles / (self.sample_rate / 2 - middles))
        return Map(lambda value: to_raw(value) - middles.to(value), lambda raw: to_physical(raw + middles.to(raw)))


def ranged(energy: Tensor, at: Tensor, log_ratio: Tensor, most: Tensor, direction: float = 1.0) -> Tensor:
    """Compute the log gain of a ratio beyond a threshold, limited to a range.

    Args:
        energy: ``(B, L)``.
        at: Threshold, ln of an energy, ``(B, 1)``.
        log_ratio: ln(R − 1), ``(B, 1)``.
        most: Range, ln of an amplitude, of either sign, ``(B, 1)``.
        direction: 1 for levels above the threshold, −1 for levels below.

    Returns:
        ln of amplitudes ``(B, L)``.
    """
    level, at = direction * torch.log(energy + LOW_FLOOR), direction * at
    slope = 0.5 * torch.sigmoid(soft_bound(log_ratio, 10, 5))
    towards, width = most.sign() * slope, torch.full_like(slope, KNEE)
    end = at + most.abs() / slope
    return quadratic_knee(level, at, towards, width) - quadratic_knee(level, end, towards, width)


def _first_order(side, w0: Tensor) -> Tensor:
    return torch.cat(side(w0, 1), -1).squeeze(-2)
