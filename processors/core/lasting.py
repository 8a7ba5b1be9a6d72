"""What is made in ``torch.inference_mode`` and used longer than that, such as a processor or what a cache keeps."""

from abc import ABCMeta
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def lasting() -> Iterator[None]:
    """Make tensors that a training can use later, even though inference mode is on. Serves as a decorator, too."""
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False), torch.no_grad():
            yield
    else:
        yield


class Lasting(ABCMeta):
    """The class of classes whose instances can be trained even though they were built in inference mode."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        with lasting():
            return super().__call__(*args, **kwargs)
