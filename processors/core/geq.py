"""The filters of graphic equalizers, as GRAFX has them."""

import torch
from torch import Tensor

from .cookbook import Coefficients
from .graphic_eq import CENTRES, WIDTHS, Bands

FC_THIRD_OCTAVE, FC_BARK = (torch.tensor(CENTRES[scale]) for scale in ("third_octave", "bark"))
FB_THIRD_OCTAVE, FB_BARK = (torch.tensor(WIDTHS[scale]) for scale in ("third_octave", "bark"))


class GraphicEqualizerBiquad(Bands):
    """:class:`~grafx.processors.core.graphic_eq.Bands` that are called for their filters.

    Args:
        scale: ``"bark"`` or ``"third_octave"``.
        sr: sample rate in Hz.
    """

    def forward(self, log_gains: Tensor) -> Coefficients:
        """Numerators and denominators ``(…, K, 3)`` for natural logarithms ``(…, K)`` of gains."""
        return self.filters(log_gains)
