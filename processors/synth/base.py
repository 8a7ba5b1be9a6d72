"""Base class of generators with modulation inlets."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor

from ..arguments import bind
from ..base import ParameterError, ParameterSize, Processor
from ..controls import ParamRange

Raw = Mapping[str, Tensor]
Added = Mapping[str, Tensor]
"""Inlet to its signal."""


class Generator(Processor):
    """Generator with optional inlets, whose signals are added to its parameters.

    A subclass names all parameters that can be modulated in ``modulated``, and defines :meth:`generate`.

    Args:
        inlets: Names of the wanted inlets, in order.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An inlet is unknown, or named twice.
    """

    latency_samples = 0
    modulated: Mapping[str, str]  # inlet to raw parameter

    def __init__(self, inlets: Sequence[str], sample_rate: float, param_range: ParamRange | None) -> None:
        super().__init__(sample_rate, param_range)
        if isinstance(inlets, str) or len({*inlets}) < len(inlets) or not {*inlets} <= {*self.modulated}:
            names = ", ".join(map(repr, self.modulated))
            raise ParameterError(
                f"inlets of {type(self).__name__} must be a tuple of different names among {names}, not {inlets!r}."
            )
        self.inlets = tuple(inlets)

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(self.modulated.values(), 1)

    def forward(self, *inlet_signals: Tensor, num_samples: int | None = None, **raw_parameters: Tensor) -> Tensor:
        """Generate signals.

        Args:
            inlet_signals: ``(B, C, L)`` for each inlet; one channel is broadcast. Further positional arguments are raw
                parameters.
            num_samples: L, if there is no inlet.
            raw_parameters: ``(B, 1)`` each.

        Returns:
            ``(B, C, L)``, with one channel if no inlet has more.

        Raises:
            ParameterError: A parameter is missing or unknown, the length is given in another way, or signals differ in
                their numbers of channels.
        """
        signals, raw = bind(self, self.inlets, inlet_signals, raw_parameters)
        if (num_samples is None) != bool(signals):
            need = "is as long as its inlets: leave num_samples out" if signals else "has no inlet: give num_samples"
            raise ParameterError(f"{type(self).__name__}(inlets={self.inlets}) {need}.")
        added = dict(zip(self.inlets, signals, strict=True))
        if len({signal.shape[1] for signal in signals} - {1}) > 1:
            counts = ", ".join(f"{signal.shape[1]} at {name!r}" for name, signal in added.items())
            raise ParameterError(f"The inlets of {type(self).__name__} have other numbers of channels: {counts}.")
        return self.generate(signals[0].shape[-1] if signals else num_samples, raw, added)

    @abstractmethod
    def generate(self, num_samples: int, raw: Raw, added: Added) -> Tensor:
        """Compute samples ``(B, C, L)`` from raw parameters and the signals added to them."""

    def modulate(self, inlet: str, raw: Raw, added: Added) -> Tensor:
        """Add the signal at an inlet to its raw parameter, ``(B, 1, 1)`` or ``(B, C, L)``."""
        value = raw[self.modulated[inlet]].unsqueeze(-1)
        return value + added[inlet] if inlet in added else value
