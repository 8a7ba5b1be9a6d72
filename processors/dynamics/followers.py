"""Envelope followers, which return the log level of each sample."""

from typing import Literal

import torch
import torch.nn as nn
from torch import Tensor

from ..arguments import check_option
from ..core.envelope import Ballistics, TruncatedOnePoleIIRFilter
from ..core.gain import mean_square

FLOOR = 1e-5  # as silence has no logarithm


class BaseEnvelopeFollower(nn.Module):
    r"""Level of a signal, averaged over channels and smoothed.

    .. math:: \ln\left(\mathrm{smooth}(e) + 10^{-5}\right), \quad
        e = \overline{u^2} \text{ (energy)} \quad\text{or}\quad \overline{|u|} \text{ (amplitude)}

    Args:
        smoother: A module that smooths ``(B, L)``, given its coefficients.
        detect_with: ``"energy"`` or ``"amplitude"``.

    Raises:
        ParameterError: An unknown detector.
    """

    num_coefficients = 1

    def __init__(self, smoother: nn.Module, detect_with: Literal["energy", "amplitude"] = "energy") -> None:
        super().__init__()
        check_option("detect_with", detect_with, ("energy", "amplitude"))
        self.smoother, self.detect_with = smoother, detect_with

    def parameter_size(self) -> dict[str, int]:
        return {"z_alpha": self.num_coefficients}

    def forward(self, signal: Tensor, *args: Tensor, **kwargs: Tensor) -> Tensor:
        """Follow signals ``(B, C, L)``, given the smoother's coefficients ``z_alpha``; returns ``(B, L)``."""
        loudness = mean_square(signal) if self.detect_with == "energy" else signal.abs().mean(1)
        return torch.log(self.smoother(loudness, *args, **kwargs) + FLOOR)


class IIREnvelopeFollower(BaseEnvelopeFollower):
    """Envelope follower with a :class:`~grafx.processors.core.envelope.TruncatedOnePoleIIRFilter`.

    Args:
        detect_with: See :class:`BaseEnvelopeFollower`.
        iir_len: Length of the impulse response of the smoother.
        flashfftconv: Accepted and ignored, since there is no convolution.
        max_input_len: Accepted and ignored.
    """

    def __init__(
        self,
        detect_with: Literal["energy", "amplitude"] = "energy",
        iir_len: int = 16384,
        flashfftconv: bool = False,
        max_input_len: int = 2**17,
    ) -> None:
        super().__init__(TruncatedOnePoleIIRFilter(iir_len), detect_with)


class BallisticsEnvelopeFollower(BaseEnvelopeFollower):
    """Envelope follower with :class:`~grafx.processors.core.envelope.Ballistics`.

    Args:
        detect_with: See :class:`BaseEnvelopeFollower`.
    """

    num_coefficients = 2

    def __init__(self, detect_with: Literal["energy", "amplitude"] = "energy") -> None:
        super().__init__(Ballistics(), detect_with)
