"""Removal of DC offset."""

import math

import torch
from torch import Tensor

from ..base import Control, ParameterSize
from ..controls import ParamRange, hz
from ..core.bounds import soft_bound
from ..core.cookbook import Coefficients
from ..core.maps import frequency_around, logit_of
from ..core.precision import wide
from .base import RecursiveFilter

CUTOFF = (1.0, 500.0, 20.0)  # Hz


class DCBlocker(RecursiveFilter):
    r"""First-order high-pass that removes DC offset.

    .. math:: y[n] = u[n] - u[n-1] + R\,y[n-1], \quad R = \tan\left(\frac{\pi}{4} - \frac{\omega_0}{2}\right)

    At its cutoff ω₀ it is 3 dB below its gain at the Nyquist frequency, which is 2/(1 + R), 0.01 dB for 20 Hz at
    44.1 kHz. It is computed in double precision, since R is close to 1.

    Raw parameters:
        w0 ``(B, 1)``: ω₀ = πσ(w0 + c), where c makes it 20 Hz for 0. Sums beyond ±12 are bounded softly to ±14.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    References:
        Smith, "Introduction to digital filters with audio applications", W3K Publishing, 2007.
    """

    def __init__(self, sample_rate: float = 44100, param_range: ParamRange | None = None) -> None:
        super().__init__(sample_rate, param_range, order=1)

    def parameter_size(self) -> ParameterSize:
        return {"w0": 1}

    def declare_controls(self) -> list[Control]:
        low, high, usual = CUTOFF
        to = frequency_around(usual, self.sample_rate)
        return [hz("cutoff_hz", low, min(high, 0.45 * self.sample_rate), usual, "w0", map=to)]

    def forward(self, input_signals: Tensor, w0: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            w0: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        return self._filter(input_signals, w0)

    def sections(self, w0: Tensor) -> Coefficients:
        w0 = math.pi * torch.sigmoid(soft_bound(wide(w0) + logit_of(CUTOFF[2], self.sample_rate), 12, 2))
        pole, one = torch.tan(math.pi / 4 - w0 / 2), torch.ones_like(w0)
        return torch.stack([one, -one], -1), torch.stack([one, -pole], -1)
