"""Plain-torch kernels of :mod:`.distortion` for every device."""

import torch
from torch import Tensor

from ..waveshapes import WAVESHAPES


def distort(u: Tensor, drive: Tensor, bias: Tensor, gain: Tensor, shape: str) -> Tensor:
    curve = WAVESHAPES[shape].curve
    return (curve(torch.addcmul(bias, u, drive)) - curve(bias)) * gain


def distort_backward(
    grad: Tensor, u: Tensor, drive: Tensor, bias: Tensor, gain: Tensor, shape: str
) -> tuple[Tensor, ...]:
    curve, slope = WAVESHAPES[shape].curve, WAVESHAPES[shape].slope
    v = torch.addcmul(bias, u, drive)
    by_v = grad * gain * slope(v)
    of_rows = by_v * u, by_v - grad * gain * slope(bias), grad * (curve(v) - curve(bias))
    return by_v * drive, *(g.sum(-1, keepdim=True) for g in of_rows)
