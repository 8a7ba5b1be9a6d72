r"""Biquads in series, which stay bounded in a stream when their coefficients jump.

Offline they run as :func:`~.biquad.biquad_cascade`. The meaning of the state of its sections depends on their
coefficients: at a tenth of a cutoff, the rest of the previous block may be a hundred times as loud. So a block runs
each section as a state-variable filter, with trapezoidal integrators and the same transfer function:

.. math::
    s[n+1] &= \begin{pmatrix} m/2 - 1 & -q/2 \\ q/2 & 1 - p/2 \end{pmatrix} s[n]
        + \begin{pmatrix} q/2 \\ p/2 \end{pmatrix} u[n], \quad
        p = 1 + a_1 + a_2, \; m = 1 - a_1 + a_2, \; q = \sqrt{p m} \\
    y[n] &= \frac{b_0 m - b_0 + b_1 - b_2}{q}\,s_1[n] + \left(\frac{b_0 + b_1 + b_2}{p} - b_0\right) s_2[n] + b_0\,u[n]

Its matrix never increases the norm of the state, whatever the poles, so changes of coefficients cannot amplify it.
Where a change makes a section quieter, such as a lower cutoff, or a cut before it, its state is scaled down by the same
factor. So neither a state nor the joint output of all states is louder than for white noise with the new coefficients,
and without changes states are unmodified.

References:
    Wishnick, "Time-varying filters for musical applications", DAFx 2014, for the structure.
"""

from functools import partial

import torch
from torch import Tensor

from .biquad import biquad_cascade
from .precision import wide
from .state_space import state_space
from .streaming import in_blocks, once, remember

State = tuple[Tensor, Tensor, Tensor]
Systems = tuple[Tensor, ...]
SMALLEST = 1e-15  # of p and m where rounding puts a pole onto the unit circle
SILENCE = 1e-30  # of a loudness
DOUBLINGS = 12  # of the samples of noise that loudness is measured by


def biquads(x: Tensor, sos: Tensor, loudness: Tensor | None = None) -> Tensor:
    """Filter a signal, or a block of one, by biquads in series.

    Args:
        x: Signals ``(..., L)``, float32 or float64.
        sos: Stable sections (b₀, b₁, b₂, a₀, a₁, a₂), ``(..., K, 6)``; see :func:`~.biquad.biquad_cascade`.
        loudness: Loudness of the signals for the current parameters, ``(...)``; 1 if ``None``. If it falls from one
            block to the next, the state is scaled down by the same factor.

    Returns:
        ``(..., L)``, where leading axes broadcast.

    Raises:
        ParameterError: A shape does not fit, or ``x`` is neither float32 nor float64.
    """
    if not (in_blocks() and sos.shape[-2]):
        return biquad_cascade(x, sos)[0]
    A, B, C, D, level, heard = once(_systems, sos)
    level = level if loudness is None else level * wide(loudness.detach())[..., None]
    return remember(partial(_section_by_section, x, (A, B, C, D, heard), level), "sections")


def quieter(state: Tensor, before: Tensor, level: Tensor) -> Tensor:
    """Scale a state ``(..., N)`` down where its reference loudness, ``(...)``, has decreased."""
    return state * (level / before).clamp(max=1)[..., None]


def _section_by_section(x: Tensor, systems: Systems, level: Tensor, state: State | None) -> tuple[Tensor, State]:
    A, B, C, D, heard = systems
    past = None if state is None else _carried_over(*state, level, heard)
    y, states = wide(x), []
    for k in range(D.shape[-1]):
        initial = None if past is None else past[..., k, :]
        y, after = state_space(y, A[..., k, :, :], B[..., k, :], C[..., k, :], D[..., k], initial)
        states.append(after)
    after = torch.stack(torch.broadcast_tensors(*states), -2)
    return y.to(x.dtype), (after, level, _sound(after, heard))


def _carried_over(state: Tensor, level_before: Tensor, sound_before: Tensor, level: Tensor, heard: Tensor) -> Tensor:
    """Adapt a state to new coefficients: limit the loudness of each section, and the relative loudness of all.

    Sections that cancel each other would not do so with states from other coefficients.
    """
    state = quieter(state, level_before, level)
    sound = _sound(state, heard)
    share = torch.where(sound > sound_before, sound_before / sound.clamp(min=SILENCE), 1.0)
    return state * share[..., None, None]


@torch.no_grad()
def _sound(state: Tensor, heard: Tensor) -> Tensor:
    """Compute the future loudness of the state of sections ``(..., K, 2)``, relative to that for noise."""
    flat = state.flatten(-2)
    return ((flat.unsqueeze(-2) @ heard).squeeze(-2) * flat).sum(-1).clamp(min=0).sqrt()


def _systems(sos: Tensor) -> Systems:
    """Compute A, B, C and D of each section, its loudness for noise, and the output energy of all states."""
    b0, b1, b2, a0, a1, a2 = wide(sos).unbind(-1)
    b0, b1, b2, a1, a2 = (c / a0 for c in (b0, b1, b2, a1, a2))
    p, m = (c.clamp(min=SMALLEST) for c in (1 + a1 + a2, 1 - a1 + a2))
    q = torch.sqrt(p * m)
    A = torch.stack([m / 2 - 1, -q / 2, q / 2, 1 - p / 2], -1).unflatten(-1, (2, 2))
    B = torch.stack([q, p], -1) / 2
    C = torch.stack([(b0 * m - b0 + b1 - b2) / q, (b0 + b1 + b2) / p - b0], -1)
    return A, B, C, b0, *_gramians(*_in_series(A, B, C, b0))


@torch.no_grad()
def _in_series(A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute A ``(..., 2 K, 2 K)``, B and C ``(..., 2 K)`` of all sections together."""
    count = D.shape[-1]
    whole = A.new_zeros(*D.shape[:-1], 2 * count, 2 * count)
    driven = A.new_zeros(*D.shape[:-1], 2 * count)
    # The input of each section, from the states and from the input.
    heard, direct = torch.zeros_like(driven), torch.ones_like(D[..., 0])
    for k in range(count):
        own = slice(2 * k, 2 * k + 2)
        whole[..., own, :] = B[..., k, :, None] * heard[..., None, :]
        whole[..., own, own] += A[..., k, :, :]
        driven[..., own] = B[..., k, :] * direct[..., None]
        heard, direct = D[..., k, None] * heard, D[..., k] * direct
        heard[..., own] += C[..., k, :]
    return whole, driven, heard


@torch.no_grad()
def _gramians(whole: Tensor, driven: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
    """What states are like for white noise, and what is heard of them, of some time.

    The root mean squares ``(..., K)`` of the sections' states; and the energy of what is heard of a state, as a
    quadratic form ``(..., 2 K, 2 K)`` that is 1 on average for these.
    """
    covariance, energy = (v[..., :, None] * v[..., None, :] for v in (driven, heard))
    for _ in range(DOUBLINGS):
        covariance = covariance + whole @ covariance @ whole.mT
        energy = energy + whole.mT @ energy @ whole
        whole = whole @ whole
    levels = covariance.diagonal(dim1=-2, dim2=-1).unflatten(-1, (-1, 2)).sum(-1)
    usual = (covariance * energy).sum((-2, -1))[..., None, None]
    return (levels + SILENCE).sqrt(), energy / (usual + SILENCE)
