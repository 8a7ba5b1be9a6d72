"""Filters of graphic equalizers, with GRAFX's interface."""

import torch
from torch import Tensor

from .cookbook import Coefficients
from .graphic_eq import CENTRES, WIDTHS, Bands

FC_THIRD_OCTAVE, FC_BARK = (torch.tensor(CENTRES[scale]) for scale in ("third_octave", "bark"))
FB_THIRD_OCTAVE, FB_BARK = (torch.tensor(WIDTHS[scale]) for scale in ("third_octave", "bark"))


class GraphicEqualizerBiquad(Bands):
    """:class:`~grafx.processors.core.graphic_eq.Bands`, callable for the filters.

    Args:
        scale: ``"bark"`` or ``"third_octave"``.
        sr: Sample rate in Hz.
    """

    def forward(self, log_gains: Tensor) -> Coefficients:
        """Compute numerators and denominators ``(…, K, 3)`` from natural logarithms ``(…, K)`` of gains."""
        return self.filters(log_gains)
