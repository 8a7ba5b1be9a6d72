"""Learnable delays."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from .convolution import convolve
from .fourier import irfft, rfft
from .operators import formula

EPS = 1e-7
LARGEST = 1e15


class SurrogateDelay(nn.Module):
    r"""Integer delays 0 … N − 1, with a gradient from damped sinusoids in the frequency domain.

    A delay of n samples has the spectrum :math:`e^{-2\pi i k n / N}`, the powers of one number on the unit circle. Here
    that number is a free one inside of it,

    .. math:: z = \tilde z \frac{\tanh |\tilde z|}{|\tilde z| + 10^{-7}}, \quad
        h_n = \mathrm{IDFT}\left[(z + 10^{-7})^k\right]_n, \quad k = 0, …, \lfloor N / 2 \rfloor

    and h is a soft impulse, narrower as z nears the circle. With the straight-through estimator the response is
    the unit impulse at the maximum of h, and the gradient is that of h.

    References:
        Hayes, Saitis and Fazekas, "Sinusoidal frequency estimation by gradient descent", ICASSP 2023; as a delay, Lee
        et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.

    Args:
        N: Length of the response.
        straight_through: Output a unit impulse instead of the soft one.
        radii_loss: Return :math:`\sum (1 - \tanh|\tilde z|)^2`, which pulls z to the circle; otherwise 0.
        normalize_gradients: Divide the gradient of each z̃, including that of the radii loss, by 10⁻⁷ plus its
            modulus.
    """

    def __init__(
        self,
        N: int,
        straight_through: bool = True,
        radii_loss: bool = True,
        normalize_gradients: bool = True,
    ):
        super().__init__()
        self.N = N
        self.straight_through = straight_through
        self.radii_loss = radii_loss
        self.normalize_gradients = normalize_gradients

    def forward(self, z: Tensor, color: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the responses of delays.

        Args:
            z: Complex numbers of any shape. A delay is proportional to minus the angle.
            color: Zero-phase filters ``(…, taps)`` for the delayed impulses, with an odd number of taps; parts outside
                the response are cut.

        Returns:
            The responses ``(…, N)``, which can be differentiated once, and the radii loss ``()``.
        """
        # Moduli of larger numbers overflow; tanh is 1 long before.
        z = torch.complex(z.real.clamp(-LARGEST, LARGEST), z.imag.clamp(-LARGEST, LARGEST))
        if self.normalize_gradients:
            z = _normalize_gradient(z)
        modulus = z.abs()
        radius = torch.tanh(modulus)
        z = z * (radius / (modulus + EPS))
        if color is None:
            fir = _soft_impulse(z, self.N, self.straight_through)
        elif self.straight_through:
            fir = _placed_filter(z, color, self.N)
        else:
            fir = _color(_soft_impulse(z, self.N, False), color)
        loss = (1 - radius).square().sum() if self.radii_loss else radius.new_zeros(())
        return fir, loss


def _impulse(z: Tensor, N: int, hard: bool) -> Tensor:
    """Compute the IDFT of the powers of z, or the impulse at its maximum; the gradient is that of the former."""
    z = z + EPS
    if not hard:
        coarse, fine = _power_tables(z, N // 2 + 1)
        powers = (coarse.unsqueeze(-1) * fine.unsqueeze(-2)).flatten(-2)[..., : N // 2 + 1]
        return irfft(powers, N)
    impulse = torch.zeros(*z.shape, N, dtype=z.real.dtype, device=z.device)
    return impulse.scatter_(-1, _nearest_delay(z, N).unsqueeze(-1), 1)


def _filter(z: Tensor, color: Tensor, N: int) -> Tensor:
    """Place a filter at the impulse, which is their convolution without a transform."""
    reach = color.shape[-1] // 2
    response = color.new_zeros(*z.shape, N + 2 * reach)
    return response.scatter_(-1, _places(z, color, N), color)[..., reach : reach + N]


def _filter_gradient(grad: Tensor, needed: tuple, z: Tensor, color: Tensor, N: int) -> tuple[Tensor, Tensor, None]:
    reach = color.shape[-1] // 2
    by_color = F.pad(grad, (reach, reach)).gather(-1, _places(z, color, N))
    return _soft_gradient(_color(grad, color.flip(-1)), z + EPS), by_color, None


def _places(z: Tensor, color: Tensor, N: int) -> Tensor:
    return _nearest_delay(z + EPS, N).unsqueeze(-1) + torch.arange(color.shape[-1], device=z.device)


def _color(x: Tensor, color: Tensor) -> Tensor:
    rows = (v.reshape(-1, 1, v.shape[-1]) for v in (x, color))
    return convolve(*rows, mode="zerophase").view(x.shape)


def _nearest_delay(z: Tensor, N: int) -> Tensor:
    # The maximum of a damped sinusoid's spectrum is the bin nearest to its frequency.
    return torch.round(z.angle() * (-N / math.tau)).long() % N


def _soft_gradient(g: Tensor, z: Tensor) -> Tensor:
    """Compute the gradient of z from that of its soft impulse."""
    N = g.shape[-1]
    # d/dz of (1/N) Re Σ w_k z^k Ĝ_k*, where w counts the bins that a real spectrum has twice.
    k = torch.arange(1, N // 2 + 1, device=z.device, dtype=z.real.dtype)
    weight = k * (2 / N)
    if N % 2 == 0:
        weight[-1:] /= 2
    spectrum = rfft(g)[..., 1:] * weight
    coarse, fine = _power_tables(z.conj(), N // 2)
    padding = coarse.shape[-1] * fine.shape[-1] - N // 2
    table = F.pad(spectrum, (0, padding)).unflatten(-1, (-1, fine.shape[-1]))
    return ((table * fine.unsqueeze(-2)).sum(-1) * coarse).sum(-1)


def _power_tables(z: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Compute tables a, b such that z^(i·len(b) + j) = a_i b_j for the powers 0 … n − 1.

    There are far fewer exponentials than powers, so float64 is affordable: float32 loses the phase of high powers.
    """
    width = math.isqrt(max(n - 1, 0)) + 1
    height = -(-n // width)
    modulus, angle = z.abs().double().unsqueeze(-1), z.to(torch.complex128).angle().unsqueeze(-1)
    steps = torch.arange(width, device=z.device, dtype=torch.float64)
    coarse, fine = steps[:height] * width, steps
    first, second = (torch.polar(modulus**k, angle * k).to(z.dtype) for k in (coarse, fine))
    return first, second


_normalize_gradient = formula(
    lambda z: z.view_as(z), lambda grad, needed, z: (grad / (EPS + grad.abs()),), "normalized gradients", surrogate=True
)


class NormalizedGradient:
    """Gradient normalization alone, with GRAFX's interface: ``NormalizedGradient.apply(z)``."""

    apply = staticmethod(_normalize_gradient)


_soft_impulse = formula(
    _impulse, lambda grad, needed, z, N, hard: (_soft_gradient(grad, z + EPS), None, None), "SurrogateDelay", True
)
_placed_filter = formula(_filter, _filter_gradient, "SurrogateDelay", surrogate=True)
