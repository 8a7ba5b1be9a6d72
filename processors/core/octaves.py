r"""Filters with given gains in octave bands, exact at the centres.

A broadband gain and a shelf at each edge between two bands, from the Audio EQ Cookbook. Since shelves overlap at the
centres, their gains are solved for. In decibels shelves are nearly proportional to their gains, and Newton's method
converges in a few steps. Peak filters in place of shelves could realize more extreme gains, but have dips between
bands, where shelves interpolate.

References:
    Jot, "Proportional parametric equalizers – application to digital reverberation and environmental audio processing",
    139th AES Convention, 2015; solving for the gains at the centres, Schlecht and Habets, "Accurate reverberation time
    control in feedback delay networks", DAFx 2017, and Prawda, Schlecht and Välimäki, "Improved reverberation time
    control for feedback delay networks", DAFx 2019.
"""

import math

import torch
from torch import Tensor

from ..errors import ParameterError
from .constants import Constants
from .cookbook import high_shelf
from .iir import on_unit_circle
from .operators import formula
from .precision import wide

LOWEST = 62.5  # Hz
MOST = 9
HIGHEST = 0.4  # of the sample rate
SHELF_Q = 1.2  # steep, but gains between two bands stay near those of the bands
STEPS = 12
SHARES = 1.0, 0.5, 0.25, 0.1, 0.0  # of a step, the best of which is taken
ENOUGH = 1e-12
RIDGE = 1e-9
SMALL = 1e-4
LARGEST = 16.0  # natural logarithm of the gain of a shelf
PER_OCTAVE = 16


def octave_centres(sample_rate: float) -> tuple[float, ...]:
    """Return the centres of the octaves from 62.5 Hz to 16 kHz, limited by the sample rate.

    Raises:
        ParameterError: The sample rate is too low for any octave.
    """
    centres = tuple(LOWEST * 2**k for k in range(MOST) if LOWEST * 2**k <= HIGHEST * sample_rate)
    if not centres:
        raise ParameterError(
            f"sample_rate must be at least {LOWEST / HIGHEST:g} Hz for octave bands, not {sample_rate}."
        )
    return centres


class OctaveFilters(Constants):
    """Design of filters with given gains in the K octaves of :func:`octave_centres`.

    Gains of neighbours may differ by about 10 dB, and by much more if they are monotonic. Unreachable gains are
    approximated.

    Args:
        sample_rate: Samples per second.

    Raises:
        ParameterError: The sample rate is too low for any octave.
    """

    centres: Tensor
    everywhere: Tensor

    def __init__(self, sample_rate: float) -> None:
        super().__init__()
        centres = 2 * math.pi / sample_rate * torch.tensor(octave_centres(sample_rate), dtype=torch.float64)
        between = torch.arange(math.ceil(PER_OCTAVE * math.log2(2 * math.pi / centres[0]))) / PER_OCTAVE
        everywhere = torch.cat([torch.zeros(1), centres[0] / 2 * 2**between, torch.tensor([math.pi])])
        for name, value in (("centres", centres), ("everywhere", everywhere)):
            self.register_constant(name, value)

    def __len__(self) -> int:
        return len(self.centres)

    def forward(self, log_gains: Tensor) -> Tensor:
        """Design filters.

        Args:
            log_gains: Natural logarithms of the gains at the centres, ``(…, K)``.

        Returns:
            Sections ``(…, K, 6)`` in double precision with a₀ = 1, the first of which is the broadband gain;
            differentiable once.
        """
        wanted = wide(log_gains)
        with torch.no_grad():
            gains = self._solution(wanted)
            slopes = self._slopes(gains)
        return self._sections(gains + _change(wanted, slopes))

    def log_gains(self, sections: Tensor) -> Tensor:
        """Compute log gains of sections ``(…, K, 6)`` at many frequencies, ``(…, F)``."""
        frequencies = self.everywhere.to(sections)
        b, a = (on_unit_circle(c, frequencies).abs().log() for c in (sections[..., :3], sections[..., 3:]))
        return (b - a).sum(-2)

    def _sections(self, gains: Tensor) -> Tensor:
        overall = torch.stack([gains[..., :1].exp(), *[torch.zeros_like(gains[..., :1])] * 2], -1)
        unity = torch.tensor([1.0, 0.0, 0.0]).to(gains).expand_as(overall)
        b, a = self._shelves(gains)
        shelves = torch.cat([b, a], -1) / a[..., :1]
        return torch.cat([torch.cat([overall, unity], -1), shelves], -2)

    def _shelves(self, gains: Tensor) -> tuple[Tensor, Tensor]:
        centres = self.centres.to(gains)
        edges = torch.sqrt(centres[1:] * centres[:-1])
        return high_shelf(edges, torch.full_like(edges, 1 / SHELF_Q), torch.exp(gains[..., 1:] / 2))

    def _responses(self, gains: Tensor) -> Tensor:
        """Compute log gains of each shelf at the centres, ``(…, K − 1, K)``."""
        b, a = (on_unit_circle(c, self.centres.to(gains)).abs().log() for c in self._shelves(gains))
        return b - a

    def _slopes(self, gains: Tensor) -> Tensor:
        """Compute the Jacobian of the log gains at the centres by those of the filters, ``(…, K, K)``."""
        change = (self._responses(gains + SMALL) - self._responses(gains - SMALL)) / (2 * SMALL)
        return torch.cat([torch.ones_like(gains).unsqueeze(-1), change.mT], -1)

    def _solution(self, wanted: Tensor) -> Tensor:
        gains = _least_squares(self._slopes(torch.zeros_like(wanted)), wanted).clamp(-LARGEST, LARGEST)
        error = self._error(gains, wanted)
        for _ in range(STEPS):
            far = error.abs().amax(-1, keepdim=True) > ENOUGH
            if wanted.device.type == "cpu" and not torch.compiler.is_compiling() and not far.any():
                break
            step = far * _least_squares(self._slopes(gains), error)
            tried = torch.stack([(gains + share * step).clamp(-LARGEST, LARGEST) for share in SHARES])
            errors = self._error(tried, wanted)
            best = errors.square().sum(-1, keepdim=True).argmin(0, keepdim=True).expand(1, *gains.shape)
            gains, error = tried.gather(0, best)[0], errors.gather(0, best)[0]
        return gains

    def _error(self, gains: Tensor, wanted: Tensor) -> Tensor:
        return wanted - gains[..., :1] - self._responses(gains).sum(-2)


def _least_squares(matrix: Tensor, values: Tensor) -> Tensor:
    """Solve a linear system, also if it is singular."""
    return torch.linalg.solve(_square(matrix), matrix.mT @ values.unsqueeze(-1)).squeeze(-1)


def _square(matrix: Tensor) -> Tensor:
    return matrix.mT @ matrix + RIDGE * torch.eye(matrix.shape[-1]).to(matrix)


def _by_wanted(grad: Tensor, needed: tuple, wanted: Tensor, slopes: Tensor) -> tuple[Tensor, None]:
    return (slopes @ torch.linalg.solve(_square(slopes), grad.unsqueeze(-1))).squeeze(-1), None


# Zero, with the derivative that the solution has by what is wanted. The slopes would move with it, so it has no second.
_change = formula(lambda wanted, slopes: torch.zeros_like(wanted), _by_wanted, "OctaveFilters", surrogate=True)
