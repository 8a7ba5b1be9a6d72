"""Tensors and modules made in ``torch.inference_mode`` that outlive it, such as processors and caches."""

from abc import ABCMeta
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def lasting() -> Iterator[None]:
    """Disable inference mode, so that new tensors can be used in training. Also works as a decorator."""
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False), torch.no_grad():
            yield
    else:
        yield


class Lasting(ABCMeta):
    """Metaclass whose instances are trainable even if they are constructed in inference mode."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        with lasting():
            return super().__call__(*args, **kwargs)
