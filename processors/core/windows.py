"""Window functions for frames and filters."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ParameterError

Window = str | tuple | Tensor | None
KAISER_BETA = 12.0  # of the Kaiser window where no other is given, as torch.kaiser_window has it


def get_window(window_type: Window, window_length: int, **kwargs: Any) -> Tensor:
    """Return a window, periodic by default.

    Args:
        window_type: Name of a window of ``scipy.signal.windows``, such as ``"hann"`` or ``"kaiser"``, or a tuple of a
            name and its arguments, as for ``scipy.signal.get_window``. ``None``, ``"none"`` and ``"boxcar"`` give ones.
            A tensor ``(window_length,)`` is returned unchanged.
        window_length: Number of samples.
        **kwargs: Arguments of the window, such as ``beta`` of ``"kaiser"``, which is 12 by default; and ``periodic``,
            true by default, or ``sym``, its opposite.

    Returns:
        ``(window_length,)`` in float64.

    Raises:
        ParameterError: An unknown window or wrong arguments of it, or a tensor of another length.
    """
    if isinstance(window_type, Tensor):
        return _given(window_type, window_length, kwargs)
    if window_type is None or window_type == "none":
        window_type, kwargs = "boxcar", {}
    if window_type == "kaiser":
        kwargs = {"beta": KAISER_BETA, **kwargs}
    kwargs["sym"] = kwargs.get("sym", not kwargs.pop("periodic", True))
    return torch.from_numpy(_from_scipy(window_type, window_length, **kwargs))


def _from_scipy(name: Any, length: int, sym: bool, **kwargs: Any) -> np.ndarray:
    import scipy.signal  # it takes a second

    try:
        if kwargs:
            return getattr(scipy.signal.windows, name)(length, sym=sym, **kwargs)
        return np.asarray(scipy.signal.get_window(name, length, fftbins=not sym))
    except (AttributeError, TypeError, ValueError) as error:
        arguments = f" with {kwargs}" if kwargs else ""
        raise ParameterError(f"scipy.signal.windows has no window {name!r}{arguments}: {error}") from None


def _given(window: Tensor, length: int, kwargs: dict) -> Tensor:
    if window.shape != (length,):
        raise ParameterError(f"A window of this filter is ({length},), not {tuple(window.shape)}.")
    if kwargs:
        raise ParameterError(f"A window that is given as a tensor takes no arguments, but got {', '.join(kwargs)}.")
    return window.detach().double().clone()
