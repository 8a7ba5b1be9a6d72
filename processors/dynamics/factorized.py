"""Dynamic range processors whose gain has two factors: one per frame, and one per sample."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize
from ..controls import ParamRange
from ..core.bounds import safe_exp
from ..core.frames import between_frames, frame_energies, scale_between_frames
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
    """Base class of gains of two factors, each of which is that of a dynamic range processor of a desk.

    A subclass names that processor in ``_kind``, and the ranges of both factors in ``ranges`` and ``transient_ranges``.
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
        options = {"style": "desk", "knee_type": knee_type, "smooth_type": smooth_type}
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
        """Whether the sample-wise factor has such a parameter."""
        return True

    def follow(self, signals: Sequence[Tensor], raw: Raw) -> Tensor:
        if self.transient is not None:
            return super().follow(signals, raw)
        gains, begun = self._gains_of_frames(signals[-1], raw)
        if "log_makeup" in raw:
            gains = gains * safe_exp(raw["log_makeup"])
        return scale_between_frames(signals[0], gains, self.hop, begun)

    def _frame_gain(self, key: Tensor, raw: Raw) -> Tensor:
        """Compute the frame-wise factor ``(B, L)``, linear, interpolated between frames."""
        gains, begun = self._gains_of_frames(key, raw)
        return between_frames(gains, self.hop, begun, key.shape[-1])

    def _gains_of_frames(self, key: Tensor, raw: Raw) -> tuple[Tensor, int]:
        """Compute the frame-wise factor of each frame and of the two before, and how many samples of it have passed."""
        energies, begun = frame_energies(key, self.hop)
        smoothed = with_past(self.frame.energy_smoother(energies, raw["z_alpha_pre"]), 2)
        return self.frame.static_gain(smoothed, raw), begun

    def _transient_level(self, energy: Tensor, raw: Raw) -> tuple[Tensor, Raw]:
        """Compute the smoothed energy ``(B, L)`` for the sample-wise factor, and return its raw parameters."""
        own = self._own_of_transient(raw)
        return self.transient.energy_smoother(energy, own["z_alpha_pre"]), own

    def _own_of_transient(self, raw: Raw) -> Raw:
        return {name.removeprefix(TRANSIENT): value for name, value in raw.items() if name.startswith(TRANSIENT)}


class FactorizedCompressor(_Factorized):
    r"""Compressor with two gain factors: a slow one, computed per frame, and a fast one for transients.

    Attack and release followers hardly change within a millisecond, so their smoothing, logarithms and exponentials
    are computed for frames of H samples (64 by default, 1.5 ms at 44.1 kHz). With the energy
    e[k] of frame k, averaged over its samples and channels and smoothed from frame to frame, the gain of the frame is

    .. math:: a[k] = \exp g(\ln(e[k] + \varepsilon)), \quad g(G) = \tfrac12 \left(\tfrac1R - 1\right) k(G - T)

    where T, R and the knee k are those of :class:`Compressor` in the style of a desk, and ε = 10⁻¹³. It is interpolated
    linearly over the following frames, so that it is late by one to two frames and needs no look-ahead:

    .. math:: a[kH + i] = a[k-2] + \tfrac{i+1}{H} (a[k-1] - a[k-2])

    Faster changes are handled by a second compressor in series, which processes every sample:

    .. math:: y = a\,b\,u, \quad b = \exp g'(\ln(e' + \varepsilon))

    where e′ is the energy of a·u, averaged over channels and smoothed with a separate attack and release, and
    g′ has a separate threshold, ratio and knee. Without ``transients`` b = 1, and the computing time is about half
    that of a :class:`Compressor`; with them, twice that time.

    Levels are those of a :class:`Compressor` if the energy moves slowly, or if attack and release are equal. With a
    shorter attack, that one follows each peak, while the mean of a frame contains no peaks: frames measure sines 1 to 3
    dB lower, and noise 3 to 6 dB.

    Controls: ``threshold_db``, ``ratio``, ``knee_db``, ``attack_ms``, ``release_ms`` and ``makeup_db`` as in
    :class:`Compressor`, of the gain of frames; times shorter than a frame are not resolved. With ``transients``:
    ``transient_threshold_db``, ``transient_ratio``, ``transient_knee_db``, ``transient_attack_ms`` and
    ``transient_release_ms``. With an ``"iir"`` smoother, ``smoothing_ms`` and ``transient_smoothing_ms`` replace attack
    and release.

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
        ParameterError: An unsupported option value, or ``hop`` below 1.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012. S. Lee et al., "GRAFX: an open-source library for audio processing graphs in
        PyTorch", DAFx 2024, which asks for such processors.
    """

    _kind = Compressor
    ranges = COMPRESSOR_RANGES
    transient_ranges = COMPRESSOR_TRANSIENTS

    def follow(self, signals: Sequence[Tensor], raw: Raw) -> Tensor:
        if self.transient is None or len(signals) > 1:
            return super().follow(signals, raw)
        gains, begun = self._gains_of_frames(signals[0], raw)
        slowly = scale_between_frames(signals[0], gains, self.hop, begun)
        makeup = {name: value for name, value in raw.items() if name == "log_makeup"}
        return self.transient.follow((slowly,), {**self._own_of_transient(raw), **makeup})

    def gain(self, key: Tensor, raw: Raw) -> Tensor:
        gain = self._frame_gain(key, raw)
        if self.transient is None:
            return gain
        return gain * self.transient.static_gain(*self._transient_level(mean_square(key) * gain.square(), raw))


class FactorizedNoiseGate(_Factorized):
    r"""Noise gate with two gain factors: one for the level of frames, and one for that of samples.

    Below its threshold, the gain of frames is that of a :class:`NoiseGate` in the style of a desk, with a range r
    and a knee, computed once for H samples as for :class:`FactorizedCompressor`: :math:`a[k] = e^{r c(G[k])}`, from
    c = 1, closed, to 0, open. Since it is late by one to two frames, onsets would be lost. So a second
    gate, which processes every sample and has a separate threshold and times, opens at once:

    .. math:: y = a^{c'} u

    with c′ from 1 to 0 likewise. The gate is closed where both are closed, and open where either is open. Without
    ``transients``, c′ = 1.

    Controls: ``threshold_db``, ``range_db``, ``knee_db``, ``attack_ms`` and ``release_ms`` as in :class:`NoiseGate`, of
    the gain of frames. With ``transients``: ``transient_threshold_db``, ``transient_knee_db``, ``transient_attack_ms``
    and ``transient_release_ms``.

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
        transients: Whether there is a factor per sample.
        makeup: Whether there is a makeup gain.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    Raises:
        ParameterError: An unsupported option value, or ``hop`` below 1.

    References:
        See :class:`FactorizedCompressor`.
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
        energy, own = self._transient_level(mean_square(key), whole)
        return gain ** self.transient.log_gain(self.transient.level(energy), threshold(own), own)


def _with_range(control: Control, ranges: Ranges) -> Control:
    low, high, default = ranges[control.name]
    return replace(control, low=low, high=high, default=default)
