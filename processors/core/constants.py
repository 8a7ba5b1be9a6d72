"""Tensors that belong to a module and never change: filters, windows, tables, noise."""

from collections.abc import Callable
from typing import Any, Self

import torch
import torch.nn as nn
from torch import Tensor


class Constants(nn.Module):
    """A module whose constants go to other devices with it, and never lose precision, whatever it is converted to.

    A filter that was once rounded to half precision stays wrong in single precision.
    """

    def register_constant(self, name: str, value: Tensor, persistent: bool = False) -> None:
        """Keep a tensor as an attribute.

        Args:
            name: of the attribute.
            value: of any type.
            persistent: whether ``state_dict`` has it.
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
