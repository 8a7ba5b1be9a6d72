"""Double precision for recursions and filter design."""

import torch
from torch import Tensor


def wide(values: Tensor) -> Tensor:
    """Convert to double precision, real or complex, on every device that supports it.

    Single precision has too few digits for coefficients near the unit circle.

    Args:
        values: floating-point or complex numbers of any shape.
    """
    return values.to(wide_dtype(values.is_complex(), values.device))


def wide_dtype(is_complex: bool, device: torch.device) -> torch.dtype:
    """Return the type of :func:`wide` numbers on a device."""
    double = device.type != "mps"
    if is_complex:
        return torch.complex128 if double else torch.complex64
    return torch.float64 if double else torch.float32
