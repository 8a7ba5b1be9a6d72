"""Loudness measures of signals."""

import torch
from torch import Tensor

from .operators import formula

EPS = 1e-7


def log_energy(x: Tensor, eps: float = EPS) -> Tensor:
    """Compute ln of the mean square over channels and samples, plus ``eps``: ``(..., C, L)`` -> ``(...)``."""
    num_values = max(1, x.shape[-2] * x.shape[-1])
    return torch.log(_energy(x) / num_values + eps)


def rms_difference(X: Tensor, Y: Tensor, eps: float = EPS) -> Tensor:
    r"""Compute the loudness change of a processor, as a regularization term.

    .. math:: \sum_b \left| \ln\left(\overline{x_b^2} + 10^{-7}\right)
        - \ln\left(\overline{y_b^2} + 10^{-7}\right) \right|

    Args:
        X: x, signals of shape ``(B, C, L)``.
        Y: y, signals of shape ``(B, C', L')``.
        eps: Added to the mean squares in place of 10⁻⁷.

    Returns:
        A scalar tensor: the sum over the batch, where 1 is 4.3 dB.

    References:
        S. Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """
    return (log_energy(X, eps) - log_energy(Y, eps)).abs().sum()


_energy = formula(
    lambda x: torch.linalg.vector_norm(x, dim=(-2, -1)).square(),
    lambda grad, needed, x: (x * (2 * grad)[..., None, None],),
    "energy",
)
