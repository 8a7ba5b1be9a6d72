"""What torch is set to while a search works, whatever its caller has set."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def usual_torch() -> Iterator[None]:
    """Gradients on, inference mode and autocast off, new tensors of float32 on the CPU; afterwards all as it was."""
    dtype = torch.get_default_dtype()
    with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"), torch.autocast("cpu", enabled=False):
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def in_usual_torch(function: Callable[P, R]) -> Callable[P, R]:
    """A function that runs in :func:`usual_torch`."""

    @wraps(function)
    def usual(*args: P.args, **kwargs: P.kwargs) -> R:
        with usual_torch():
            return function(*args, **kwargs)

    return usual


def plain_tensor(signal: Tensor) -> Tensor:
    """A signal as a constant: without history, and no tensor of inference mode, which no gradient may depend on."""
    signal = signal.detach()
    return signal.clone() if signal.is_inference() else signal
