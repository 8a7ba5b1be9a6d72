"""Torch settings during a search, independent of the caller."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from ..processors.core.backends.threads import sums_in_one_order

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def usual_torch() -> Iterator[None]:
    """Enable gradients, disable inference mode and autocast, default to float32 on the CPU, and sum in one order.

    All is restored afterwards. The order of sums makes results the same on any number of threads.
    """
    dtype = torch.get_default_dtype()
    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as stack:
        stack.enter_context(sums_in_one_order())
        if torch.get_default_device().type != "cpu":  # as a context it slows down each call of torch
            stack.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def in_usual_torch(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function to run in :func:`usual_torch`."""

    @wraps(function)
    def usual(*args: P.args, **kwargs: P.kwargs) -> R:
        with usual_torch():
            return function(*args, **kwargs)

    return usual


def plain_tensor(signal: Tensor) -> Tensor:
    """Detach a signal, and convert an inference tensor, which no gradient may depend on, to a normal one."""
    signal = signal.detach()
    return signal.clone() if signal.is_inference() else signal
