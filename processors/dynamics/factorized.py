"""Dynamic range processors whose gain has two factors: one for each frame, and one for each sample."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize
from ..controls import ParamRange
from ..core.frames import between_frames, frame_energies
from ..core.gain import mean_square
from ..core.streaming import with_past
from .base import DynamicRangeProcessor, KeyedGain, Knee, Ranges, Raw, threshold
from .compressor import COMPRESSOR_RANGES, GATE_RANGES, Compressor, NoiseGate

TRANSIENT = "transient_"
COMPRESSOR_TRANSIENTS = {
    "threshold_db": (-60, 0, -10.0),
    "ratio": (1, 100, 10.0),
    "knee_db": (0, 12, 3.0),
    "attack_ms": (0.01, 5, 0.1),
    "release_ms": (1, 100, 10.0),
    "smoothing_ms": (0.01, 100, 1.0),
}
GATE_TRANSIENTS = {
    "threshold_db": (-90, 0, -30.0),
    "knee_db": (0, 6, 3.0),
    "attack_ms": (0.01, 5, 0.1),
    "release_ms": (1, 100, 10.0),
    "smoothing_ms": (0.01, 100, 1.0),
}


class _Factorized(KeyedGain):
    """A gain of two factors, each of which is that of a dynamic range processor of a desk.

    A subclass names that processor in ``_kind``, and in ``ranges`` and ``transient_ranges`` those of the two factors.
    """

    _kind: type[DynamicRangeProcessor]
    ranges: Ranges
    transient_ranges: Ranges

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        knee_type: Knee = "quadratic",
        smooth_type: Literal["ballistics", "iir"] = "ballistics",
        *,
        hop: int = 64,
        transients: bool = True,
        makeup: bool = True,
        sidechain: bool = False,
    ) -> None:
        super().__init__(sidechain, sample_rate=sample_rate, param_range=param_range)
        if hop < 1:
            raise ParameterError(f"hop is the number of samples of a frame and must be at least 1, not {hop}.")
        self.hop = hop
        options = {"knee_type": knee_type, "smooth_type": smooth_type}
        self.frame = self._kind(sample_rate=sample_rate / hop, makeup=makeup, **options)
        self.transient = self._kind(sample_rate=sample_rate, makeup=False, **options) if transients else None

    def parameter_size(self) -> ParameterSize:
        size = self.frame.parameter_size()
        if self.transient is not None:
            size |= {TRANSIENT + name: n for name, n in self.transient.parameter_size().items() if self._is_own(name)}
        return size

    def declare_controls(self) -> list[Control]:
        controls = [_with_range(c, self.ranges) for c in self.frame.declare_controls()]
        if self.transient is not None:
            controls += [
                replace(_with_range(c, self.transient_ranges), name=TRANSIENT + c.name, raw=TRANSIENT + c.raw)
                for c in self.transient.declare_controls()
                if self._is_own(c.raw)
            ]
        return controls

    def _is_own(self, raw: str) -> bool:
        """Whether the factor of samples has such a parameter."""
        return True

    def _frame_gain(self, key: Tensor, raw: Raw) -> Tensor:
        """``(B, L)``, linear, on straight lines from frame to frame."""
        energies, begun = frame_energies(key, self.hop)
        smoothed = with_past(self.frame.energy_smoother(energies, raw["z_alpha_pre"]), 2)
        gains = self._curve(self.frame, smoothed, raw).exp()
        return between_frames(gains, self.hop, begun, key.shape[-1])

    def _transient_log_gain(self, energy: Tensor, raw: Raw) -> Tensor:
        """``(B, L)``, ln of the factor of samples."""
        own = {name.removeprefix(TRANSIENT): value for name, value in raw.items() if name.startswith(TRANSIENT)}
        return self._curve(self.transient, self.transient.energy_smoother(energy, own["z_alpha_pre"]), own)

    def _curve(self, part: DynamicRangeProcessor, energy: Tensor, raw: Raw) -> Tensor:
        return part.log_gain(part.level(energy), threshold(raw), raw)


class FactorizedCompressor(_Factorized):
    r"""Compressor in two factors: a slow gain, computed once for a frame, and a fast one for transients.

    Levels that attack and release follow hardly change within a millisecond, so their smoothing, logarithms and
    exponentials are left to frames of H samples (64 by default, 1.5 ms at 44.1 kHz). With the energy
    e[k] of frame k, averaged over its samples and channels and smoothed from frame to frame, the gain of the frame is

    .. math:: a[k] = \exp g(\ln(e[k] + \varepsilon)), \quad g(G) = \tfrac12 \left(\tfrac1R - 1\right) k(G - T)

    where T, R and the knee k are those of :class:`Compressor` in the style of a desk, and ε = 10⁻¹³. It reaches the
    samples of the frames after it along straight lines, so that it is late by one to two frames and looks at nothing to
    come:

    .. math:: a[kH + i] = a[k-2] + \tfrac{i+1}{H} (a[k-1] - a[k-2])

    What is faster than that is left to a second compressor behind it, which sees every sample:

    .. math:: y = a\,b\,u, \quad b = \exp g'(\ln(e' + \varepsilon))

    where e′ is the energy of a·u, averaged over channels and smoothed with an attack and a release of its own, and
    g′ has a threshold, a ratio and a knee of its own. Without ``transients`` b = 1, and the whole takes about half
    the time of a :class:`Compressor`; with them, twice that time.

    Levels are those of a :class:`Compressor` where the energy moves slowly, or where attack and release are the same.
    Where the attack is shorter, that one rises with each peak, while the mean of a frame has none left: frames read
    sines 1 to 3 dB lower, and noise 3 to 6 dB.

    Controls: ``threshold_db`` (−60 to 0 dB), ``ratio`` (1 to 20), ``knee_db`` (0 to 12 dB), ``attack_ms`` (0.1 to
    100 ms), ``release_ms`` (10 to 1000 ms), ``makeup_db`` (−12 to 12 dB), as those of :class:`Compressor`, of the
    gain of frames; times below that of a frame make no difference. With ``transients``: ``transient_threshold_db``
    (−60 to 0 dB), ``transient_ratio`` (1 to 100), ``transient_knee_db`` (0 to 12 dB), ``transient_attack_ms`` (0.01 to
    5 ms), ``transient_release_ms`` (1 to 100 ms). With an ``"iir"`` smoother there are ``smoothing_ms`` and
    ``transient_smoothing_ms`` in place of attack and release.

    Raw parameters:
        log_threshold, log_ratio, log_knee ``(B, 1)``: natural logarithms of energies and ratios.
        z_alpha_pre ``(B, 2)``: logits of the coefficients of attack and release, per frame; ``(B, 1)`` for ``"iir"``.
        log_makeup ``(B, 1)``: ln of an amplitude, with ``makeup``.
        transient_log_threshold, transient_log_ratio, transient_log_knee ``(B, 1)``: with ``transients``.
        transient_z_alpha_pre ``(B, 2)``: per sample, with ``transients``; ``(B, 1)`` for ``"iir"``.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        knee_type: ``"hard"``, ``"quadratic"`` (by default) or ``"exponential"``, of both factors.
        smooth_type: ``"ballistics"`` or ``"iir"``, of both factors.
        hop: H, the number of samples of a frame.
        transients: Whether there is a factor for each sample.
        makeup: Whether there is a makeup gain.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    Raises:
        ParameterError: An option has no such value, or a frame no sample.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012. S. Lee et al., "GRAFX: an open-source library for audio processing graphs in
        PyTorch", DAFx 2024, which asks for such processors.
    """

    _kind = Compressor
    ranges = COMPRESSOR_RANGES
    transient_ranges = COMPRESSOR_TRANSIENTS

    def gain(self, key: Tensor, raw: Raw) -> Tensor:
        gain = self._frame_gain(key, raw)
        if self.transient is None:
            return gain
        return gain * self._transient_log_gain(mean_square(key) * gain.square(), raw).exp()


class FactorizedNoiseGate(_Factorized):
    r"""Gate in two factors: how far it is closed by the level of frames, and by that of samples.

    Below its threshold, the gain of frames is that of a :class:`NoiseGate` in the style of a desk, with a range r
    and a knee, computed once for H samples as for :class:`FactorizedCompressor`: :math:`a[k] = e^{r c(G[k])}`, from
    c = 1, closed, to 0, open. As it is late by one to two frames, the beginning of a sound would be lost. So a second
    gate, which sees every sample and has a threshold and times of its own, opens at once:

    .. math:: y = a^{c'} u

    with its c′ in the same way from 1 to 0. The gate is closed where both are, and open where either is. Without
    ``transients``, c′ = 1.

    Controls: ``threshold_db`` (−90 to −20 dB), ``range_db`` (−90 to 0 dB), ``knee_db`` (0 to 6 dB), ``attack_ms`` (0.1
    to 20 ms), ``release_ms`` (5 to 1000 ms), as those of :class:`NoiseGate`, of the gain of frames. With
    ``transients``: ``transient_threshold_db`` (−90 to 0 dB), ``transient_knee_db`` (0 to 6 dB), ``transient_attack_ms``
    (0.01 to 5 ms), ``transient_release_ms`` (1 to 100 ms).

    Raw parameters:
        log_threshold, log_range, log_knee ``(B, 1)``: natural logarithms of energies; the range is one of an amplitude.
        z_alpha_pre ``(B, 2)``: logits of the coefficients of attack and release, per frame; ``(B, 1)`` for ``"iir"``.
        log_makeup ``(B, 1)``: ln of an amplitude, with ``makeup``.
        transient_log_threshold, transient_log_knee ``(B, 1)``: with ``transients``.
        transient_z_alpha_pre ``(B, 2)``: per sample, with ``transients``; ``(B, 1)`` for ``"iir"``.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        knee_type: ``"hard"`` or ``"quadratic"`` (by default), of both factors.
        smooth_type: ``"ballistics"`` or ``"iir"``, of both factors.
        hop: H, the number of samples of a frame.
        transients: Whether there is a factor for each sample.
        makeup: Whether there is a makeup gain.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    Raises:
        ParameterError: An option has no such value, or a frame no sample.

    References: as of :class:`FactorizedCompressor`.
    """

    _kind = NoiseGate
    ranges = GATE_RANGES
    transient_ranges = GATE_TRANSIENTS

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        knee_type: Literal["hard", "quadratic"] = "quadratic",
        smooth_type: Literal["ballistics", "iir"] = "ballistics",
        *,
        hop: int = 64,
        transients: bool = True,
        makeup: bool = False,
        sidechain: bool = False,
    ) -> None:
        options = {"hop": hop, "transients": transients, "makeup": makeup, "sidechain": sidechain}
        super().__init__(sample_rate, param_range, knee_type, smooth_type, **options)

    def _is_own(self, raw: str) -> bool:
        return raw != "log_range"

    def gain(self, key: Tensor, raw: Raw) -> Tensor:
        gain = self._frame_gain(key, raw)
        if self.transient is None:
            return gain
        whole = {**raw, TRANSIENT + "log_range": torch.ones_like(raw["log_range"])}
        return gain ** self._transient_log_gain(mean_square(key), whole)


def _with_range(control: Control, ranges: Ranges) -> Control:
    low, high, default = ranges[control.name]
    return replace(control, low=low, high=high, default=default)
