"""Base of recursive filters."""

from abc import abstractmethod

from torch import Tensor

from ..base import Processor
from ..controls import ParamRange
from ..core import cookbook
from ..core.iir import IIRFilter
from ..core.streaming import once


class RecursiveFilter(Processor):
    """Base class of recursive filters for all channels. A subclass computes the coefficients of its sections.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.
    """

    latency_samples = 0

    def __init__(self, sample_rate: float = 44100, param_range: ParamRange | None = None, **iir):
        super().__init__(sample_rate, param_range)
        self.iir = IIRFilter(**iir)

    @abstractmethod
    def sections(self, *raw_parameters: Tensor) -> cookbook.Coefficients:
        """Compute numerators and denominators ``(B, K, 3)`` from the raw parameters."""

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return self.iir.tail_samples(*self.sections(*(raw_parameters[name] for name in self.parameter_size())))

    def _filter(self, x: Tensor, *raw_parameters: Tensor | None) -> Tensor:
        b, a = once(self.sections, *raw_parameters)
        return self.iir(x, b.unsqueeze(1), a.unsqueeze(1))
