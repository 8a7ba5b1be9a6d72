"""Double precision for recursions and filter design."""

import torch
from torch import Tensor

from ..errors import ParameterError

REAL, COMPLEX = (torch.float32, torch.float64), (torch.complex64, torch.complex128)


def check_real(name: str, signal: Tensor, before: str = "filtering") -> None:
    """Refuse a signal that is neither in single nor in double precision.

    Raises:
        ParameterError: the message says what it is called, what it is, and before what to convert it.
    """
    if signal.dtype not in REAL:
        raise ParameterError(f"{name} must be float32 or float64, not {signal.dtype}: convert it before {before}.")


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
