"""Band-limited periodic waveforms: splines with ever fewer harmonics."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..constants import Constants
from ..operators import empty, operator
from ..precision import REAL
from ..shapes import as_rows, check_indices, num_samples, require, shaped

FADE = 2 ** (1 / 12)  # harmonics fade in a semitone below half the sample rate
KNOTS_PER_HARMONIC = 16
MIN_KNOTS = 256
PAD = 4  # knots that are kept once more, so that no index has to turn round


class Wavetable(Constants):
    r"""Band-limited periodic waveforms, whose harmonics are limited to half the sample rate.

    A waveform has the Fourier series :math:`w(\theta) = \mathrm{Re} \sum_{k=0}^K c_k e^{2 \pi i k \theta}`. Played with
    an increment of Δ cycles per sample, it is

    .. math::
        y = \mathrm{Re} \sum_{k=0}^{K} g_k(\Delta)\, c_k e^{2 \pi i k \theta}, \quad
        g_k = s\left(\frac{1 / (2 |\Delta| K_{i(k)}) - 1}{2^{1/12} - 1}\right), \quad s(x) = 3 x^2 - 2 x^3
        \text{ for } x \text{ clipped to } [0, 1]

    Harmonics fade in groups: those from :math:`K_{i-1} + 1` to :math:`K_i`, where the :math:`K_i` are a semitone apart,
    or at least 1. A group is silent if its highest harmonic would reach half the sample rate, and at full level a
    semitone below. So nothing aliases, except for interpolation errors; harmonics less than two semitones below half
    the sample rate may be missing, and the output is a smooth function of θ and Δ.

    Each sum of whole groups is stored as a cubic spline with 16 knots for each harmonic, exact at the knots. The images
    of a spline above harmonic k are at least 94 dB below it.

    Args:
        series: :math:`c_k`, ``(N, K + 1)`` for N waveforms, complex or real.

    Attributes:
        num_tables: N.

    Raises:
        ParameterError: ``series`` is of another shape.

    References:
        The splines, Unser, Aldroubi and Eden, "B-spline signal processing", IEEE Trans. Signal Processing 41(2), 1993.
    """

    def __init__(self, series: Tensor) -> None:
        super().__init__()
        if series.ndim != 2 or 0 in series.shape:
            raise ParameterError(f"series is (waveforms, harmonics + 1), but its shape is {tuple(series.shape)}.")
        harmonics = harmonic_counts(series.shape[1] - 1)
        splines = [spline_coefficients(series, *counts) for counts in pairwise([-1, *harmonics])]
        starts = np.cumsum([0] + [spline.shape[1] for spline in splines])
        self.num_tables = series.shape[0]
        self.register_constant("tables", torch.cat(splines, 1))
        self.register_constant("harmonics", torch.tensor(harmonics))
        levels = np.searchsorted(harmonics, np.arange(harmonics[-1] + 1), "right") - 1
        self.register_constant("levels", torch.from_numpy(levels))
        self.register_constant("starts", torch.from_numpy(starts))

    def forward(self, phase: Tensor, increment: Tensor, position: Tensor | None = None) -> Tensor:
        """Read the waveforms. It can be differentiated once.

        Args:
            phase: θ in cycles, ``(..., L)``, float32 or float64.
            increment: Δ in cycles per sample, of any sign, ``(..., L)``, or ``(..., 1)`` if it is constant.
            position: Position between the waveforms, from 0 for the first to N − 1 for the last, ``(..., L)`` or
                ``(..., 1)``; other values are clipped. The leading axes of all arguments broadcast.

        Returns:
            ``(..., L)``, of the type of ``phase``.

        Raises:
            ParameterError: A signal is neither float32 nor float64, or a shape does not fit.
        """
        position = phase.new_zeros(1) if position is None else position
        signals, length = (phase, increment, position), num_samples(phase)
        if any(signal.dtype not in REAL for signal in signals):
            raise ParameterError(f"Signals must be float32 or float64, not {', '.join(str(s.dtype) for s in signals)}.")
        leading, *rows = as_rows(
            phase=(phase, length), increment=(increment, (length, 1)), position=(position, (length, 1))
        )
        return _lookup(*rows, self.tables, self.harmonics, self.levels, self.starts).reshape(*leading, length)


def harmonic_counts(highest: int) -> list[int]:
    """List the numbers of harmonics of the splines, from 0 to the maximum, a semitone apart, or 1."""
    counts = [highest]
    while counts[-1] > 0:
        counts.append(int(counts[-1] / FADE))
    return counts[::-1]


def spline_coefficients(series: Tensor, below: int, highest: int) -> Tensor:
    """Compute coefficients of cubic B-splines for sums of harmonics of waveforms.

    Args:
        series: Fourier coefficients ``(N, K + 1)``.
        below: Number of harmonics in the groups before the last one.
        highest: Total number of harmonics.

    Returns:
        ``(N, knots + PAD, 2)`` in float64, from the phase −½ on: of the previous groups, and of the last one.
    """
    knots = max(MIN_KNOTS, KNOTS_PER_HARMONIC * highest)
    k = torch.arange(highest + 1)
    at_knots = (2 + torch.cos(2 * torch.pi * k.double() / knots)) / 3  # what a spline makes of a harmonic
    half = torch.where(k == 0, 1.0, 0.5 - k % 2)  # of two sides, which begin half a cycle early
    spectrum = series[:, : highest + 1].to(torch.complex128) * (half / at_knots)
    groups = torch.stack([torch.where(k <= below, spectrum, 0), torch.where(k > below, spectrum, 0)], 1)
    # The first of the four splines that reach into an interval has its middle a knot before it.
    values = torch.fft.irfft(groups, knots, norm="forward").roll(1, -1)
    return torch.cat([values, values[..., :PAD]], -1).mT.contiguous()


def _check_tables(tables: Tensor, harmonics: Tensor, levels: Tensor, starts: Tensor) -> None:
    """Refuse indices that lead out of the tables, where there is one at all."""
    fit = bool(tables.shape[0] and len(levels)) and len(starts) == len(harmonics) + 1
    require(fit, f"{len(harmonics)} splines of one waveform or more need as many starts, and one more, and levels.")
    check_indices("levels", levels, 0, len(harmonics) - 1)
    check_indices("starts", starts, 0, tables.shape[1])
    check_indices("Lengths of splines", starts.diff(), PAD + 1, tables.shape[1])


@operator("wavetable")
@shaped(
    phase="R L", increment="R L|1", position="R L|1", tables="N S 2", harmonics="int: K", levels="int: H",
    starts="int: T",
)  # fmt: skip
def _lookup(
    phase: Tensor,
    increment: Tensor,
    position: Tensor,
    tables: Tensor,
    harmonics: Tensor,
    levels: Tensor,
    starts: Tensor,
) -> Tensor:
    _check_tables(tables, harmonics, levels, starts)
    return kernels("wavetable", phase).lookup(phase, increment, position, tables, harmonics, levels, starts)


@operator("wavetable_backward")
@shaped(
    grad="R L", phase="R L", increment="R L|1", position="R L|1", tables="N S 2", harmonics="int: K",
    levels="int: H", starts="int: T",
)  # fmt: skip
def _lookup_backward(
    grad: Tensor,
    phase: Tensor,
    increment: Tensor,
    position: Tensor,
    tables: Tensor,
    harmonics: Tensor,
    levels: Tensor,
    starts: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    _check_tables(tables, harmonics, levels, starts)
    return kernels("wavetable", phase).lookup_backward(
        grad, phase, increment, position, tables, harmonics, levels, starts
    )


_lookup.register_fake(lambda phase, *_: empty(phase))
_lookup_backward.register_fake(
    lambda grad, phase, increment, position, *_: tuple(map(empty, (phase, increment, position)))
)
_lookup.register_autograd(
    lambda ctx, grad: (*_lookup_backward(grad, *ctx.saved_tensors), None, None, None, None),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)
