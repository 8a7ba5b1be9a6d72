"""De-esser."""

from typing import Literal

import torch
from torch import Tensor

from ..arguments import bind, check_option
from ..base import Control, ParameterSize, Processor
from ..controls import ParamRange, db, hz, ms
from ..core import cookbook
from ..core.band_energy import band_energy
from ..core.biquad import decay_samples
from ..core.bounds import soft_bound
from ..core.crossover_sections import crossover_sections
from ..core.envelope import Ballistics
from ..core.gain import apply_gain
from ..core.maps import NEPER, exponential, frequency_around, logit_of, time_constant
from ..core.precision import wide
from ..core.state_variable import biquads
from ..core.streaming import once
from .base import THRESHOLD, threshold
from .dynamic_eq import ranged

Detector = Literal["highpass", "bandpass"]
Mode = Literal["split", "wideband"]

USUAL_HZ, WIDTH = 6000.0, 1.0  # WIDTH is 1/Q of the band-pass
MOST_DB = 6.0  # of reduction, of a raw parameter of 0
RANGE_FLOOR = 1e-3
# Lowest, highest and default values.
RANGES = {
    "threshold_db": (-80, 0, -30.0),
    "ratio": (1, 20, 4.0),
    "range_db": (-40, 0, -MOST_DB),
    "attack_ms": (0.1, 50, 1.0),
    "release_ms": (5, 500, 50.0),
}
RANGE = exponential(-MOST_DB, floor=RANGE_FLOOR)


class DeEsser(Processor):
    r"""De-esser: reduces sibilants above a threshold.

    The detector uses a high-pass (of fourth order, the upper side of a Linkwitz–Riley crossover) or a band-pass
    (Q = 1) of the signal. For each decibel that the level of this band exceeds the threshold T, the gain g falls by
    1 − 1/R decibels, with a knee of 6 dB, limited to the range; it is the curve of a band of :class:`DynamicEqualizer`.
    In the mode ``"split"``, the gain applies to the band:

    .. math:: y = l + e^g\,h \text{ of the crossover, or} \quad y = u + (e^g - 1)\,b \text{ of the band-pass}

    where :math:`l + h` is an allpass filter of the input. In the mode ``"wideband"`` it applies to the whole signal,
    y = exp(g)·u.

    Controls: ``frequency_hz`` of the crossover or the band, ``threshold_db``, ``ratio`` (R), ``range_db``,
    ``attack_ms`` and ``release_ms``. Thresholds are 10·log₁₀ of energies, as in :class:`Compressor`. Times are time
    constants, to 1 − 1/e of the energy. The energy has no ripple at the frequency; if the release is longer than the
    attack, a sine far from it counts as up to 3 dB louder than it is.

    Raw parameters:
        w0 ``(B, 1)``: the frequency is πσ(w0 + c), where c makes it 6 kHz for 0.
        log_threshold ``(B, 1)``: T + 6, natural logarithm of an energy.
        log_ratio ``(B, 1)``: R = 1 + exp(log_ratio).
        log_range ``(B, 1)``: the range is −6 dB · (exp(log_range) − 0.001), where
            numbers beyond ±7 are bounded softly to ±8.
        z_alpha ``(B, 2)``: logits of the coefficients of attack and release.

    Args:
        mode: ``"split"`` or ``"wideband"``.
        detector: ``"highpass"`` or ``"bandpass"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, is what the detector listens
            to. In a graph it reads silence while nothing is connected.

    Raises:
        ParameterError: An unsupported option value.

    References:
        Zölzer (ed.), "DAFX: digital audio effects", 2nd edition, Wiley, 2011, chapter 4.
    """

    latency_samples = 0

    def __init__(
        self,
        mode: Mode = "split",
        detector: Detector = "highpass",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        *,
        sidechain: bool = False,
    ) -> None:
        super().__init__(sample_rate, param_range)
        check_option("mode", mode, ("split", "wideband"))
        check_option("detector", detector, ("highpass", "bandpass"))
        self.mode = mode
        self.detector = detector
        self.inlets = ("main", "sidechain") if sidechain else ("main",)
        self.smoother = Ballistics()
        self._usual = min(USUAL_HZ, 0.3 * sample_rate)

    def parameter_size(self) -> ParameterSize:
        return {**dict.fromkeys(("w0", "log_threshold", "log_ratio", "log_range"), 1), "z_alpha": 2}

    def declare_controls(self) -> list[Control]:
        highest = min(16000.0, 0.45 * self.sample_rate)
        around = frequency_around(self._usual, self.sample_rate)
        ratio, time = exponential(offset=1), time_constant(self.sample_rate)
        return [
            hz("frequency_hz", highest / 16, highest, self._usual, "w0", map=around),
            db("threshold_db", *RANGES["threshold_db"], "log_threshold", map=THRESHOLD),
            Control("ratio", *RANGES["ratio"], "log_ratio", scale="log", map=ratio),
            db("range_db", *RANGES["range_db"], "log_range", map=RANGE),
            ms("attack_ms", *RANGES["attack_ms"], "z_alpha", index=0, map=time),
            ms("release_ms", *RANGES["release_ms"], "z_alpha", index=1, map=time),
        ]

    def forward(self, *inlet_signals: Tensor, **raw_parameters: Tensor) -> Tensor:
        """Process signals; one gain serves all channels.

        Args:
            inlet_signals: ``(B, C, L)``; with a sidechain, a second one ``(B, C', L)`` for the detector. Further
                positional arguments are raw parameters.
            raw_parameters: ``(B, 1)`` or ``(B, 2)``, see :meth:`parameter_size`.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: A parameter is missing or unknown.
        """
        signals, raw = bind(self, self.inlets, inlet_signals, raw_parameters)
        w0, sos = once(self._sections, raw["w0"])
        x, bands = signals[0], self._bands(signals[0], sos) if self.mode == "split" or len(signals) == 1 else None
        heard = bands if len(signals) == 1 else self._bands(signals[-1], sos)
        energy = self.smoother(band_energy(heard[:, -1], w0), raw["z_alpha"])
        most = RANGE.to_physical(soft_bound(raw["log_range"], 7, 1)) / NEPER
        change = ranged(energy, threshold(raw), raw["log_ratio"], most)
        if self.mode == "wideband":
            return apply_gain(x, change.exp())
        if self.detector == "highpass":
            return bands[:, 0] + change.exp().unsqueeze(1) * bands[:, 1]
        return x + change.expm1().unsqueeze(1) * bands[:, 0]

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        _, sos = self._sections(raw_parameters["w0"])
        return decay_samples(sos[..., 3:])

    def _bands(self, x: Tensor, sos: Tensor) -> Tensor:
        """Split into ``(B, n, C, L)``, the last of which is the detector's input."""
        return biquads(x.unsqueeze(1), sos)

    def _sections(self, w0: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the frequency ``(B, 1)`` and the filters ``(B, n, 1, K, 6)``."""
        w0, q_inv = cookbook.from_raw(wide(w0) + logit_of(self._usual, self.sample_rate), torch.zeros_like(w0))
        if self.detector == "bandpass":
            return w0, torch.cat(cookbook.band_pass(w0, WIDTH * q_inv), -1)[:, :, None, None]
        return w0, crossover_sections(w0 / (2 * torch.pi), 1.0).unsqueeze(2)
