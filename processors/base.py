"""What every processor is."""

from abc import ABC, abstractmethod

import torch.nn as nn
from torch import Tensor

ParameterSize = dict[str, "int | tuple[int, ...] | ParameterSize"]


class ParameterError(ValueError):
    """A parameter or an option is missing, unknown, misshapen or out of range."""


class Processor(nn.Module, ABC):
    """Base of all processors: a pure, differentiable function of signals and raw parameters.

    A processor holds no state between calls and never changes its arguments. Raw parameters are unconstrained reals;
    every finite value of them gives a finite output. A subclass defines the two methods below. Any other
    ``nn.Module`` that has them serves as a processor too.
    """

    @abstractmethod
    def parameter_size(self) -> ParameterSize:
        """Shapes of the raw parameters without their batch axis, nested as the parameters are."""

    @abstractmethod
    def forward(self, *inlet_signals: Tensor, **raw_parameters) -> Tensor | tuple:
        """Process ``(batch, channels, samples)`` signals, one for each inlet.

        Returns a tensor, or a tuple of one tensor for each outlet. A last element that is a ``dict`` holds
        intermediates such as regularization terms.
        """
