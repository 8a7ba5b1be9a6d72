"""The precision that recursions and the design of filters need."""

import torch
from torch import Tensor


def wide(values: Tensor) -> Tensor:
    """Numbers in double precision, real or complex, on every device that has it.

    In single precision, little is left of a coefficient beside the unit circle.

    Args:
        values: floating-point or complex numbers of any shape.
    """
    return values.to(wide_dtype(values.is_complex(), values.device))


def wide_dtype(is_complex: bool, device: torch.device) -> torch.dtype:
    """The type of :func:`wide` numbers on a device."""
    double = device.type != "mps"
    if is_complex:
        return torch.complex128 if double else torch.complex64
    return torch.float64 if double else torch.float32
