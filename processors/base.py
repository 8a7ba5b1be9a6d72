"""Base class of all processors, and the three views of their parameters."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from .calls import CalledByName, Made, in_its_name, with_own_code
from .contract import Contract, check_streams
from .controls import Control, Leaf, ParamRange, Values, control_shape, join, limit, put, read, shape_of, split
from .core.autocast import autocast_of, in_full_precision
from .core.constants import Constants
from .core.lasting import Lasting
from .core.precision import REAL
from .core.shown import remark, table
from .core.streaming import State, in_blocks, remember
from .errors import ParameterError
from .options import Options, options_of_call, written
from .rows import share_rows
from .stream import Stream, flat, resolution_of_part

__all__ = ["Control", "ParameterError", "ParameterSize", "Processor", "run"]


ParameterSize = dict[str, Any]  # int, tuple[int, ...], or more of these
Controls = dict[str, "Control | Controls"]


class Construction(CalledByName, Lasting):
    """Constructors that refuse arguments in the name of the class called, and build what outlasts inference mode.

    What they were called with stays with the instance.
    """

    def __call__(cls: type[Made], *args: Any, **kwargs: Any) -> Made:
        processor = super().__call__(*args, **kwargs)
        if type(processor) is cls:
            vars(processor)["_options"] = options_of_call(cls, args, kwargs)
        return processor


class Processor(Contract, Constants, metaclass=Construction):
    """Base of all processors: a pure, differentiable function of signals and parameters.

    A processor holds no state between calls and never changes its arguments. Raw parameters are unconstrained reals;
    every finite value of them gives a finite output. A subclass defines :meth:`parameter_size` and :meth:`forward`;
    any other ``nn.Module`` that has these two serves as a processor too. With :meth:`declare_controls` it can also be
    driven by physical values, and by normalized ones from 0 to 1::

        compressor(x, **raw_parameters)
        compressor(x, dsp_params={"threshold_db": -20.0, "ratio": torch.tensor([2.0, 4.0])})
        compressor(x, norm_params=network(features))  # (batch, compressor.count_num_parameters())

    Omitted controls are at their default. Those of the members of a container nest under their names.

    Args:
        sample_rate: Samples per second, which controls in Hertz and milliseconds refer to.
        param_range: Control name to (lowest, highest), in place of the range it has otherwise.

    Raises:
        ParameterError: The sample rate is not a positive number.

    What a class is, it declares: see :class:`~grafx.processors.contract.Contract`, whose answers it has otherwise.
    """

    streams = True
    _options: Options = {}  # noqa: RUF012

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__call__" not in cls.__dict__:
            cls.__call__ = with_own_code(cls.__call__)

    def __init__(self, sample_rate: float = 44100, param_range: ParamRange | None = None) -> None:
        super().__init__()
        if isinstance(sample_rate, str) or not 0 < sample_rate < math.inf:
            raise ParameterError(
                f"{type(self).__name__} needs a positive number of samples per second, not {sample_rate!r}."
            )
        self.sample_rate = sample_rate
        self._param_range = dict(param_range or {})

    @abstractmethod
    def parameter_size(self) -> ParameterSize:
        """Return the shapes of the raw parameters without their batch axis, nested as the parameters are."""

    @abstractmethod
    def forward(self, *inlet_signals: Tensor, **raw_parameters) -> Tensor | tuple:
        """Process ``(batch, channels, samples)`` signals, one for each inlet.

        Returns a tensor, or a tuple of one tensor for each outlet. A last element that is a ``dict`` holds
        intermediates such as regularization terms.
        """

    def declare_controls(self) -> Sequence[Control]:
        """Return the controls, in the order of normalized tensors; empty by default."""
        return ()

    @property
    def controls(self) -> Controls:
        """Name to :class:`Control`, with the ranges of this processor; nested in containers.

        Raises:
            ParameterError: ``param_range`` has a name that is not a control, or an invalid range.
        """
        tree: Controls = {}
        for leaf in self.leaves():
            put(tree, leaf.path, leaf.control)
        return tree

    @property
    def causal(self) -> bool:
        """Whether no output depends on future inputs."""
        return self.latency_samples == 0

    def stream(
        self, *blocks: Tensor, state: State | None = None, **parameters: Any
    ) -> tuple[Tensor | tuple[Tensor, ...], State]:
        """Process a block of a signal, continuing from the previous blocks.

        Blocks of any sizes in a row give what :meth:`forward` gives on the whole, :attr:`latency_samples` later::

            y, state = processor.stream(first_block, **raw_parameters)
            z, state = processor.stream(second_block, state=state, **raw_parameters)

        Parameters may change from block to block.

        Args:
            blocks: ``(batch, channels, samples)`` for each inlet.
            state: What the block before left; None for the first. It stays as it is, so a stream can go on from it
                again. It is plain data, which ``torch.save`` takes: ``class``, ``options`` and ``sizes`` say whose it
                is, ``rows`` and ``signals`` what the blocks were like, and ``memory`` has what is remembered by name,
                nested where a container has members.
            parameters: Any of the three views, as in a call.

        Returns:
            The output, a tensor or a tuple of one for each outlet, without intermediates; and the state.

        Raises:
            ParameterError: The processor needs the whole signal; the state is of another processor, of other options
                or of other signals; or a block or a parameter is not finite, which would stay in the state for ever.
        """
        check_streams(self)
        return Stream(self)(blocks, state, parameters)

    def __repr__(self) -> str:
        return written(type(self), self._options) + remark(self)

    def _repr_html_(self) -> str:
        return table(self, written(type(self), self._options))

    def count_num_parameters(self) -> int:
        """Return the number of normalized values for each signal of a batch."""
        return sum(math.prod(leaf.shape) for leaf in self.leaves())

    @in_its_name
    def __call__(
        self,
        *inlet_signals: Tensor,
        dsp_params: Mapping[str, Any] | None = None,
        norm_params: Mapping[str, Any] | Tensor | None = None,
        **raw_parameters: Any,
    ) -> Any:
        """Process signals, with parameters in one of three views.

        Signals and parameters of one row serve all rows of the others.

        Args:
            inlet_signals: ``(batch, channels, samples)`` for each inlet; the first may be called ``input_signals``.
            dsp_params: Physical values, see :meth:`dsp_to_raw`.
            norm_params: Normalized values, see :meth:`norm_to_dsp`.
            raw_parameters: Those of :meth:`forward`.

        Returns:
            The result of :meth:`forward`.

        Raises:
            ParameterError: More than one view is given, a control has a wrong name, value or batch size, or a raw
                parameter has another shape or number of rows.
        """
        if "input_signals" in raw_parameters:
            inlet_signals = (raw_parameters.pop("input_signals"), *inlet_signals)
        views = {"dsp_params": dsp_params, "norm_params": norm_params}
        given = inlet_signals, {**raw_parameters, **{name: v for name, v in views.items() if v is not None}}
        if device := autocast_of(given):
            return in_full_precision(device, lambda given: self._called(*given), given)
        return self._called(*given)

    def _called(self, inlet_signals: tuple[Tensor, ...], parameters: dict[str, Any]) -> Any:
        signals, raw_parameters = self._resolved(inlet_signals, parameters)
        return self._computed(*signals, **raw_parameters)

    @in_its_name
    def _computed(self, *inlet_signals: Tensor, **raw_parameters: Any) -> Any:
        """What forward gives for signals and raw parameters of as many rows each."""
        try:
            return super().__call__(*inlet_signals, **raw_parameters)
        except RuntimeError as error:
            if str(error).startswith("vmap:"):
                raise ParameterError(
                    f"{type(self).__name__} does not run in torch.func.vmap ({str(error).split(chr(10))[0]}): "
                    "give it all rows as one batch."
                ) from error
            raise

    def _resolved(
        self, inlet_signals: Sequence[Tensor], parameters: Mapping[str, Any]
    ) -> tuple[Sequence[Tensor], Mapping[str, Any]]:
        """Signals and raw parameters of as many rows each, from parameters in any view."""
        raw_parameters = dict(parameters)
        dsp_params, norm_params = raw_parameters.pop("dsp_params", None), raw_parameters.pop("norm_params", None)
        _check_types(self, inlet_signals, raw_parameters)
        if dsp_params is None and norm_params is None:
            return share_rows(self, inlet_signals, raw_parameters)
        given = [name for name, view in (("dsp_params", dsp_params), ("norm_params", norm_params)) if view is not None]
        given += sorted({*raw_parameters} & {*self.parameter_size()})
        if len(given) > 1:
            raise ParameterError(
                f"{type(self).__name__} got {' and '.join(given)} at once: give either dsp_params, norm_params or raw "
                "parameters."
            )
        like = inlet_signals[0] if inlet_signals else None
        batch_size = None if like is None or like.shape[0] == 1 else like.shape[0]
        if norm_params is None:
            raw = self.dsp_to_raw(dsp_params, batch_size, like)
        else:
            raw = self.norm_to_raw(norm_params, batch_size, like)
        return share_rows(self, inlet_signals, {**raw, **raw_parameters})

    def dsp_to_raw(
        self, dsp_params: Mapping[str, Any], batch_size: int | None = None, like: Tensor | None = None
    ) -> Values:
        """Convert physical values to raw parameters.

        Args:
            dsp_params: Control name to a number for the whole batch, or to a tensor, array or list: of shape
                ``(batch,)`` for a control of one value, and ``(batch, …)``, or ``(…)`` for all, for one of several.
                Axes of length 1 of the raw parameter are omitted. Missing controls are at their default.
            batch_size: Number of rows; by default that of the values.
            like: A tensor whose device and float type the parameters get; by default those of the values.

        Returns:
            Raw parameters, with a batch axis, nested as in :meth:`parameter_size`.

        Raises:
            ParameterError: A name is unknown, a value is outside its range, or has a shape that does not fit. The
                message names the control, its range and the value.
        """
        return self.values_to_raw(*self._read(dsp_params, False, batch_size, like))

    def complete(
        self, dsp_params: Mapping[str, Any], batch_size: int | None = None, like: Tensor | None = None
    ) -> Values:
        """Check and batch physical values, as in :meth:`dsp_to_raw`, and complete them with defaults."""
        return self._read(dsp_params, False, batch_size, like)[0]

    def norm_to_dsp(
        self, norm_params: Mapping[str, Any] | Tensor, batch_size: int | None = None, like: Tensor | None = None
    ) -> Values:
        """Convert normalized to physical values.

        Args:
            norm_params: As in :meth:`dsp_to_raw`, but with numbers from 0 to 1; or a tensor
                ``(batch, count_num_parameters())`` of all, in the order of the controls.
            batch_size: See :meth:`dsp_to_raw`.
            like: See :meth:`dsp_to_raw`.

        Returns:
            Control name to ``(batch, …)``, nested in containers.

        Raises:
            ParameterError: As for :meth:`dsp_to_raw`.
        """
        return self._read(norm_params, True, batch_size, like)[0]

    def norm_to_raw(
        self, norm_params: Mapping[str, Any] | Tensor, batch_size: int | None = None, like: Tensor | None = None
    ) -> Values:
        """Convert normalized values, as in :meth:`norm_to_dsp`, to raw parameters."""
        return self.values_to_raw(*self._read(norm_params, True, batch_size, like))

    def dsp_to_norm(
        self, dsp_params: Mapping[str, Any], batch_size: int | None = None, like: Tensor | None = None
    ) -> Tensor:
        """Convert physical values, as in :meth:`dsp_to_raw`, to normalized ones ``(batch, count_num_parameters())``."""
        return join(self._read(dsp_params, False, batch_size, like)[0], self.leaves())

    def raw_to_norm(self, raw_parameters: Mapping[str, Any]) -> Tensor:
        """Convert raw parameters to normalized values ``(batch, count_num_parameters())``.

        Raw parameters may be beyond the ranges of controls; these values are then outside of 0 to 1.
        """
        return join(self.raw_to_dsp(raw_parameters), self.leaves())

    def raw_to_dsp(self, raw_parameters: Mapping[str, Any]) -> Values:
        """Convert raw parameters with a batch axis to physical values ``(batch, …)``, possibly outside their ranges."""
        sizes = self.own_size()
        values: Values = {}
        for control in self.declare_controls():
            raw = raw_parameters[control.raw]
            part = raw if control.index is None else raw[..., control.index]
            shape = control_shape(control, sizes[control.raw])
            values[control.name] = control.map.to_physical(part).reshape(raw.shape[0], *shape)
        return values

    def values_to_raw(self, values: Values, batch_size: int, like: Tensor) -> Values:
        """Invert :meth:`raw_to_dsp`, for values ``(batch, …)`` of all controls.

        A subclass overrides the two where controls depend on each other. Raw parameters without a control are 0.
        """
        raw: Values = {}
        controls = self.declare_controls()
        for name, size in self.own_size().items():
            shape = (batch_size, *shape_of(size))
            parts = {c.index: c.map.to_raw(values[c.name]) for c in controls if c.raw == name}
            if None in parts:
                raw[name] = parts[None].reshape(shape)
            elif parts:
                raw[name] = torch.stack([parts[i].reshape(shape[:-1]) for i in range(shape[-1])], -1)
            else:
                raw[name] = like.new_zeros(shape)
        return raw

    def leaves(self) -> list[Leaf]:
        """Return all controls with their paths, shapes and the ranges of this processor."""
        return limit(self.declare_leaves(), self._param_range, type(self).__name__)

    def declare_leaves(self) -> list[Leaf]:
        """Return all controls with their paths and shapes, including those of members."""
        sizes = self.own_size()
        return [Leaf((c.name,), c, control_shape(c, sizes[c.raw])) for c in self.declare_controls()]

    def own_size(self) -> ParameterSize:
        """Return the shapes of the raw parameters that belong to no member."""
        return self.parameter_size()

    def _read(
        self, given: Mapping[str, Any] | Tensor, norm: bool, batch_size: int | None, like: Tensor | None
    ) -> tuple[Values, int, Tensor]:
        leaves, who = self.leaves(), type(self).__name__
        if norm and isinstance(given, Tensor):
            given = split(given, leaves, who)
        return read(given, leaves, who, norm, batch_size, like)


def _check_types(processor: Processor, inlet_signals: Sequence[Any], raw_parameters: Mapping[str, Any]) -> None:
    """Refuse dtypes other than single and double precision, before anything is computed."""
    inlets = [(f"inlet {i}", x) for i, x in enumerate(inlet_signals)]
    for place, value in inlets + flat(raw_parameters):
        if isinstance(value, Tensor) and value.dtype not in REAL:
            remedy = "give its real part" if value.is_complex() else "convert it, by .float() for one"
            raise ParameterError(
                f"{type(processor).__name__} computes in float32 or float64, but {place} is {value.dtype}: {remedy}."
            )


def is_ours(processor: nn.Module) -> bool:
    """Whether a processor runs in blocks by its ``forward``."""
    return isinstance(processor, Processor) and type(processor).stream is Processor.stream


def run(processor: nn.Module, *inlet_signals: Tensor, **parameters: Any) -> Any:
    """Call a processor that is part of another one, on a whole signal or on a block, as the other one is."""
    if not in_blocks():
        return processor(*inlet_signals, **parameters)
    if not is_ours(processor):
        return remember(lambda state: processor.stream(*inlet_signals, state=state, **parameters), "stream")
    resolution = resolution_of_part()
    if resolution is None:
        return processor(*inlet_signals, **parameters)
    signals, raw_parameters = resolution(processor, inlet_signals, parameters)
    return processor._computed(*signals, **raw_parameters)
