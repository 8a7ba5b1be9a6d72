"""Monotonic splines with learned knots."""

import torch
from torch import Tensor


def rational_quadratic(u: Tensor, rises: Tensor, slopes: Tensor) -> Tensor:
    r"""Evaluate a monotonic rational-quadratic spline through 0, with straight lines beyond its ends.

    Its K bins divide [−1, 1] evenly, and K is even, so that one of the knots is at 0. In a bin of width w, where the
    curve rises by r with a mean slope of s = r/w, from a slope d₀ to d₁, it is

    .. math:: y = y_0 + \frac{r\,(s t^2 + d_0\,t (1 - t))}{s + (d_0 + d_1 - 2 s)\,t (1 - t)},
        \quad t = \frac{u - u_0}{w}

    Args:
        u: Signals ``(B, C, L)``.
        rises: r > 0, of shape ``(B, K)``.
        slopes: d > 0 at the knots, of shape ``(B, K + 1)``.

    Returns:
        ``(B, C, L)``.

    References:
        J. A. Gregory, R. Delbourgo, "Piecewise rational quadratic interpolation to monotonic data", IMA Journal of
        Numerical Analysis 2(2), 1982. C. Durkan et al., "Neural spline flows", NeurIPS 2019.
    """
    num_bins = rises.shape[-1]
    width = 2 / num_bins
    heights = torch.cat([torch.zeros_like(rises[:, :1]), rises.cumsum(-1)], -1)
    heights = heights - heights[:, num_bins // 2, None]
    inside = u.clamp(-1, 1)
    place = (inside.detach() + 1) / width
    # NaN stays NaN, but needs a valid bin.
    index = place.nan_to_num().floor().clamp(max=num_bins - 1).long().flatten(1)

    def take(values: Tensor) -> Tensor:
        return values.gather(1, index).view_as(u)

    low, rise, before, after = map(take, (heights[:, :-1], rises, slopes[:, :-1], slopes[:, 1:]))
    mean = rise / width
    t = (inside + 1) / width - index.view_as(u)
    product = t * (1 - t)
    y = low + rise * (mean * t.square() + before * product) / (mean + (before + after - 2 * mean) * product)
    end = torch.where(u < 0, slopes[:, :1, None], slopes[:, -1:, None])
    return y + end * (u - inside)
