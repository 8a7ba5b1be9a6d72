"""Constant tensors of modules: filters, windows, tables, noise."""

from collections.abc import Callable
from typing import Any, Self

import torch
import torch.nn as nn
from torch import Tensor


class Constants(nn.Module):
    """Base class of modules with constants that change their device with the module, but never their precision.

    A filter that was once rounded to half precision stays wrong in single precision.
    """

    def register_constant(self, name: str, value: Tensor, persistent: bool = False) -> None:
        """Keep a tensor as an attribute.

        Args:
            name: Name of the attribute.
            value: Tensor of any type.
            persistent: Whether ``state_dict`` includes it.
        """
        self.register_buffer(name, value, persistent)
        self.__dict__["_constants"] = (*self.__dict__.get("_constants", ()), name)

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Self:
        before = {name: getattr(self, name) for name in self.__dict__.get("_constants", ())}
        super()._apply(fn, *args, **kwargs)
        for name, value in before.items():
            converted = getattr(self, name)
            wider = torch.promote_types(value.dtype, converted.dtype)
            self._buffers[name] = value.to(converted.device, wider)
        return self
