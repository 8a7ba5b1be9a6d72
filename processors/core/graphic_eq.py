r"""Cascade graphic equalizers: one peak filter in each band, with correction of their interaction.

References:
    Liski and Välimäki, "The quest for the best graphic equalizer", DAFx 2017 (third octaves), after Välimäki and Liski,
    "Accurate cascade graphic equalizer", IEEE Signal Processing Letters 24(2), 2017. The Bark bands are those of
    Zwicker, JASA 33(2), 1961.
"""

import math

import torch
from torch import Tensor

from ..arguments import check_known
from ..errors import ParameterError
from .bounds import soft_bound, soft_bound_sum
from .constants import Constants
from .cookbook import Coefficients, peak
from .iir import on_unit_circle
from .precision import wide

# fmt: off
CENTRES = {
    "bark": (
        50, 150, 250, 350, 450, 570, 700, 840, 1000, 1170, 1370, 1600, 1850, 2150, 2500, 2900, 3400, 4000, 4800, 5800,
        7000, 8500, 10500, 13500,
    ),
    "third_octave": (
        19.69, 24.80, 31.25, 39.37, 49.61, 62.50, 78.75, 99.21, 125.0, 157.5, 198.4, 250.0, 315.0, 396.9, 500.0, 630.0,
        793.7, 1000, 1260, 1587, 2000, 2520, 3175, 4000, 5040, 6350, 8000, 10080, 12700, 16000, 20160,
    ),
}
# From the next centre to its mirror image in pitch. Towards the Nyquist frequency peaks are skewed, and bands narrower.
WIDTHS = {
    "bark": (
        133.3, 160.0, 171.4, 177.8, 214.7, 235.9, 256.7, 294.4, 315.3, 370.8, 426.9, 466.2, 558.1, 651.0, 744.8, 926.5,
        1110, 1467, 1828, 2194, 2735, 3619, 5333, 6000,
    ),
    "third_octave": (
        9.178, 11.56, 14.57, 18.36, 23.13, 29.14, 36.71, 46.25, 58.28, 73.43, 92.51, 116.6, 146.9, 185.0, 233.1, 293.7,
        370.0, 466.2, 587.4, 740.1, 932.4, 1175, 1480, 1865, 2350, 2846, 3502, 4253, 5038, 5689, 5570,
    ),
}
# fmt: on

PROTOTYPE_GAIN = 17 * math.log(10) / 20
BETWEEN = 0.5  # weight of the frequencies between the bands


class Bands(Constants):
    r"""Bands of a graphic equalizer, with their filters.

    The filter with gain g at the centre ω of a band of width B is

    .. math::
        H(z) = \frac{1 + g\beta - 2 \cos\omega\, z^{-1} + (1 - g\beta) z^{-2}}
            {1 + \beta - 2 \cos\omega\, z^{-1} + (1 - \beta) z^{-2}}, \quad
        \beta = \sqrt{\frac{|\tilde g^2 - 1|}{|g^2 - \tilde g^2|}}\, \tan\frac{B}{2}

    and has the gain :math:`\tilde g = g^{0.4}` at the edges of the band.

    Args:
        scale: ``"bark"`` (24 bands) or ``"third_octave"`` (31 bands).
        sr: Sample rate in Hz. Widths at the upper end are made for 44.1 kHz.

    Raises:
        ParameterError: An unknown scale, or a sample rate that is not above twice the highest centre.
    """

    centres: Tensor
    widths: Tensor

    def __init__(self, scale: str = "bark", sr: float = 44100):
        super().__init__()
        check_known("scale", scale, CENTRES)
        centres, widths = (torch.tensor(table[scale], dtype=torch.float64) for table in (CENTRES, WIDTHS))
        if sr <= 2 * centres[-1]:
            raise ParameterError(
                f"{scale!r} bands reach up to {centres[-1]:g} Hz: sr must be over twice that, not {sr:g}."
            )
        self.register_constant("centres", 2 * math.pi / sr * centres)
        self.register_constant("widths", 2 * math.pi / sr * widths)

    def __len__(self) -> int:
        return len(self.centres)

    def filters(self, log_gains: Tensor) -> Coefficients:
        """Design the filters of all bands, in double precision.

        Args:
            log_gains: ``(…, K)``, ln g; bounded softly beyond ±10 (87 dB), and where those of one sign add up to more
                than 90, which is more than all bands at 24 dB.

        Returns:
            Numerators and denominators ``(…, K, 3)``.
        """
        log_gain = soft_bound_sum(soft_bound(wide(log_gains), 10, 5), 90, 10)
        centres, widths = (t.to(log_gain) for t in (self.centres, self.widths))
        # It is the peak filter of the cookbook with A = √g and α = β√g, of which this form has no 0/0 at g = 1.
        cosh = torch.cosh(log_gain / 5)
        alpha = torch.sqrt(2 * cosh / (4 * cosh.square() - 1)) * torch.tan(widths / 2)
        return peak(centres, 2 * alpha / torch.sin(centres), torch.exp(log_gain / 2))

    def gains_for(self, log_commands: Tensor) -> Tensor:
        r"""Compute the gains of the filters whose cascade has given gains at the centres.

        Filters affect other bands too. Their log response is nearly proportional to their log gain, so the gains follow
        from a matrix of leakages by weighted least squares, at the centres and, with half the weight, between them,
        where the commands are interpolated. The matrix depends slightly on the gains: the first is made for 17 dB
        everywhere, the second for the solution of the first.

        Args:
            log_commands: ``(…, K)``, natural logarithms of the gains at the centres.

        Returns:
            ``(…, K)``, natural logarithms of the filters' gains, differentiable.
        """
        commands = wide(log_commands)
        middles = (commands[..., :-1] + commands[..., 1:]) / 2
        targets = torch.cat([commands, middles], -1).unsqueeze(-1)
        weights = commands.new_tensor([1.0] * len(self) + [BETWEEN] * (len(self) - 1)).unsqueeze(-1)
        gains = torch.full_like(commands, PROTOTYPE_GAIN)
        for _ in range(2):
            leakage = self._leakage(gains)
            weighted = (weights * leakage).mT
            gains = torch.linalg.solve(weighted @ leakage, weighted @ targets).squeeze(-1)
        return gains.to(log_commands.dtype)

    def _leakage(self, log_gains: Tensor) -> Tensor:
        """Compute the log response of filters at and between the centres for a log gain of 1, ``(…, 2K − 1, K)``."""
        # The ratio has a limit at 0, which is reached closely enough here.
        log_gains = torch.where(log_gains.abs() < 1e-3, 1e-3, log_gains)
        centres = self.centres.to(log_gains)
        frequencies = torch.cat([centres, torch.sqrt(centres[:-1] * centres[1:])])
        b, a = (on_unit_circle(c, frequencies).abs().log() for c in self.filters(log_gains))
        return ((b - a) / log_gains[..., None]).mT
