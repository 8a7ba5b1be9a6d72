"""Gain, width and conversions of stereo signals."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import db
from ..core.bounds import safe_exp
from ..core.channels import check_mono_or_stereo, check_stereo
from ..core.operators import formula, place_for
from ..core.streaming import once


class StereoGain(Processor):
    r"""Gain for the left and the right channel.

    .. math:: y_c[n] = e^{g_c}\, u_c[n], \quad c \in \{l, r\}

    Raw parameters:
        log_gain ``(B, 2)``: natural logarithms of the two gains (1 is 8.7 dB).

    References:
        Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {"log_gain": 2}

    def declare_controls(self) -> list[Control]:
        return [db(f"{side}_gain_db", -60, 24, 0.0, "log_gain", index=i) for i, side in enumerate(("left", "right"))]

    def forward(self, input_signals: Tensor, log_gain: Tensor) -> Tensor:
        """Scale the channels.

        Args:
            input_signals: ``(B, 2, L)``, or ``(B, 1, L)``, which becomes stereo.
            log_gain: ``(B, 2)``.

        Returns:
            ``(B, 2, L)``.
        """
        gain = once(_gains, log_gain)
        return torch.mul(input_signals, gain, out=place_for(input_signals, gain))


class SideGainImager(Processor):
    r"""Stereo width, by a gain on the side signal.

    .. math:: l' = m + e^g s, \quad r' = m - e^g s, \quad m = (l + r)/2, \quad s = (l - r)/2

    Raw parameters:
        log_gain ``(B, 1)``: natural logarithm of the side's gain. 0 has no effect, −∞ is mono.

    References:
        Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {"log_gain": 1}

    def declare_controls(self) -> list[Control]:
        return [db("side_gain_db", -60, 24, 0.0, "log_gain")]

    def forward(self, input_signals: Tensor, log_gain: Tensor) -> Tensor:
        """Widen or narrow ``(B, 2, L)`` signals.

        Args:
            input_signals: ``(B, 2, L)``.
            log_gain: ``(B, 1)``.

        Returns:
            ``(B, 2, L)``, differentiable once.

        Raises:
            ParameterError: The signal is not stereo.
        """
        check_stereo(input_signals, "SideGainImager")
        return _add_side(input_signals, once(_share, log_gain))


def _gains(log_gain: Tensor) -> Tensor:
    return safe_exp(log_gain).unsqueeze(-1)


def _share(log_gain: Tensor) -> Tensor:
    return 0.5 * (safe_exp(log_gain) - 1).unsqueeze(-1)


def _spread(x: Tensor, k: Tensor) -> Tensor:
    """Add k (l − r) to the left and subtract it from the right, in half the passes of autograd."""
    return torch.addcmul(x, _side(x), torch.cat([k, -k], 1), out=place_for(x, k))


def _side(x: Tensor) -> Tensor:
    left, right = x[:, :1], x[:, 1:]
    return torch.sub(left, right, out=place_for(left, right))


def _spread_gradient(grad: Tensor, needed: Sequence[bool], x: Tensor, k: Tensor) -> tuple[Tensor | None, Tensor | None]:
    by_x = _spread(grad, k).sum_to_size(x.shape) if needed[0] else None
    by_k = (_side(grad) * _side(x)).sum(-1, keepdim=True).sum_to_size(k.shape) if needed[1] else None
    return by_x, by_k


_add_side = formula(_spread, _spread_gradient, "SideGainImager")


class MonoToStereo(Processor):
    r"""Mono to stereo conversion by duplication.

    .. math:: l = r = u

    A stereo signal is unchanged. There are no parameters.

    References:
        Lee et al., "GRAFX: an open-source library for audio processing graphs in PyTorch", DAFx 2024.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {}

    def forward(self, input_signals: Tensor) -> Tensor:
        """Make mono signals stereo.

        Args:
            input_signals: ``(B, 1, L)`` or ``(B, 2, L)``.

        Returns:
            ``(B, 2, L)``, without a copy: both channels share memory.

        Raises:
            ParameterError: The signal is neither mono nor stereo.
        """
        check_mono_or_stereo(input_signals, "MonoToStereo")
        return input_signals.expand(-1, 2, -1)


class StereoToMidSide(Processor):
    r"""Conversion of stereo to mid and side, on the outlets ``mid`` and ``side``.

    .. math:: m = c\,(l + r), \quad s = c\,(l - r), \quad c = 1/\sqrt 2 \text{ if normalized, else } 1

    Normalized, it preserves energy, and :class:`MidSideToStereo` inverts it. Otherwise the two in series double the
    signal. There are no parameters.

    Args:
        normalize: Divide by √2.

    References:
        Lee et al., "GRAFX: an open-source library for audio processing graphs in PyTorch", DAFx 2024.
    """

    latency_samples = 0
    outlets = ("mid", "side")

    def __init__(self, normalize: bool = True):
        super().__init__()
        self.gain = _gain(normalize)

    def parameter_size(self) -> ParameterSize:
        return {}

    def forward(self, input_signals: Tensor) -> tuple[Tensor, Tensor]:
        """Split signals.

        Args:
            input_signals: ``(B, 2, L)``.

        Returns:
            Mid ``(B, 1, L)`` and side ``(B, 1, L)``.

        Raises:
            ParameterError: The signal is not stereo.
        """
        check_stereo(input_signals, "StereoToMidSide")
        left, right = (self.gain * input_signals).split(1, dim=1)
        return left + right, left - right


class MidSideToStereo(Processor):
    r"""Conversion of mid and side to stereo, from the inlets ``mid`` and ``side``.

    .. math:: l = c\,(m + s), \quad r = c\,(m - s), \quad c = 1/\sqrt 2 \text{ if normalized, else } 1

    Normalized, it preserves energy, and inverts :class:`StereoToMidSide`. There are no parameters.

    Args:
        normalize: Divide by √2.

    References:
        Lee et al., "GRAFX: an open-source library for audio processing graphs in PyTorch", DAFx 2024.
    """

    latency_samples = 0
    inlets = ("mid", "side")

    def __init__(self, normalize: bool = True):
        super().__init__()
        self.gain = _gain(normalize)

    def parameter_size(self) -> ParameterSize:
        return {}

    def forward(self, mid: Tensor, side: Tensor) -> Tensor:
        """Combine signals.

        Args:
            mid: ``(B, 1, L)``.
            side: ``(B, 1, L)``.

        Returns:
            ``(B, 2, L)``.

        Raises:
            ParameterError: A signal is not mono.
        """
        for name, signal in (("mid", mid), ("side", side)):
            if signal.ndim != 3 or signal.shape[1] != 1:
                raise ParameterError(
                    f"MidSideToStereo needs a mono signal (batch, 1, samples) at its inlet {name!r}, not "
                    f"{tuple(signal.shape)}."
                )
        return self.gain * torch.cat((mid + side, mid - side), dim=1)


def _gain(normalize: bool) -> float:
    return math.sqrt(0.5) if normalize else 1.0
