"""Base classes of containers, processors made of other processors.

Containers wrap any processor with one inlet and one outlet, and each other. The parameters of members nest under
their names; a container with a single member takes that member's parameters as its own. The same holds for
intermediates: those of a member are passed on, nested like its parameters.

An *external* parameter is given for all nodes at once and belongs to no ``parameter_size``, such as the dry/wet
weight of a graph. Any container accepts it and passes it to every member that lists it in
``external_parameters()``; a member with an own parameter of that name uses its own.
"""

import inspect
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn as nn
from torch import Tensor

from ..base import ParameterError, ParameterSize, Processor, run
from ..contract import contract_of, latency_of, plugs_of, tail_of
from ..controls import Leaf, Path, Values, at, put, shape_of
from ..core.streaming import in_part

Output = Tensor | tuple[Tensor, dict]


class Container(Processor):
    """What containers have in common.

    Their controls are those of their members, nested as parameters are, and own ones.
    """

    weights: str | None = None  # name of the parameter that may follow the signal by position

    def _resolved(
        self, inlet_signals: Sequence[Tensor], parameters: Mapping[str, Any]
    ) -> tuple[Sequence[Tensor], Mapping[str, Any]]:
        last = inlet_signals[-1] if len(inlet_signals) > 1 else None
        if self.weights is not None and isinstance(last, Tensor) and last.ndim < 3:
            if self.weights in parameters:
                raise TypeError(f"{type(self).__name__}.forward() got multiple values for argument '{self.weights}'")
            *inlet_signals, last = inlet_signals
            parameters = {**parameters, self.weights: last}
        return super()._resolved(inlet_signals, parameters)

    @abstractmethod
    def members(self) -> dict[Path, nn.Module]:
        """Members, by the names under which their parameters nest."""

    @property
    def latency_samples(self) -> int | None:
        """Latency of the member with the largest look-ahead; ``None`` if one needs the whole signal."""
        latencies = [latency_of(member) for member in self.members().values()]
        return None if None in latencies else max(latencies)

    def own_size(self) -> ParameterSize:
        sizes = self.parameter_size()
        return {control.raw: sizes[control.raw] for control in self.declare_controls()}

    def declare_leaves(self) -> list[Leaf]:
        return [
            *(leaf._replace(path=path + leaf.path) for path, p in self._controlled() for leaf in p.leaves()),
            *super().declare_leaves(),
        ]

    def raw_to_dsp(self, raw_parameters: Mapping[str, Any]) -> Values:
        values: Values = {}
        for path, member in self._controlled():
            _place(values, path, member.raw_to_dsp(at(raw_parameters, path)))
        return {**values, **super().raw_to_dsp(raw_parameters)}

    def values_to_raw(self, values: Values, batch_size: int, like: Tensor) -> Values:
        raw: Values = {}
        for path, member in self.members().items():
            if isinstance(member, Processor):
                _place(raw, path, member.values_to_raw(at(values, path) or {}, batch_size, like))
            else:
                _place(raw, path, _zeros(member.parameter_size(), batch_size, like))
        return {**raw, **super().values_to_raw(values, batch_size, like)}

    def _controlled(self) -> list[tuple[Path, Processor]]:
        return [(path, member) for path, member in self.members().items() if isinstance(member, Processor)]


def _place(tree: Values, path: Path, values: Values) -> None:
    if path:
        put(tree, path, values)
    else:
        tree.update(values)


def _zeros(sizes: ParameterSize, batch_size: int, like: Tensor) -> Values:
    return {
        name: _zeros(size, batch_size, like)
        if isinstance(size, Mapping)
        else like.new_zeros(batch_size, *shape_of(size))
        for name, size in sizes.items()
    }


class Wrapper(Container):
    """A container with one member, whose parameters and intermediates are the container's own."""

    feeds_one_inlet = True

    def __init__(self, processor: nn.Module) -> None:
        super().__init__()
        self.processor = _check_member(processor, type(self).__name__)
        if self.feeds_one_inlet:
            _check_one_inlet(processor, type(self).__name__)

    def members(self) -> dict[Path, nn.Module]:
        return {(): self.processor}

    def parameter_size(self) -> ParameterSize:
        return self.processor.parameter_size()

    def external_parameters(self) -> set[str]:
        """Return the names of the external parameters."""
        return _external_parameters(self.processor)

    def tail_samples(self, **raw_parameters) -> int:
        taken = {*self.processor.parameter_size(), *_external_parameters(self.processor)}
        return tail_of(self.processor, {name: value for name, value in raw_parameters.items() if name in taken})


class Group(Container):
    """A container with named members, under whose names parameters and intermediates nest."""

    feeds_one_inlet = True  # of each member

    def __init__(self, processors: Mapping[str, nn.Module], **controls) -> None:
        super().__init__(**controls)
        kind = type(self).__name__
        if not isinstance(processors, Mapping) or not processors:
            raise ParameterError(f"{kind} takes a dict of at least one processor: name -> processor.")
        try:
            self.processors = nn.ModuleDict({k: _check_member(p, kind) for k, p in processors.items()})
            for processor in processors.values() if self.feeds_one_inlet else ():
                _check_one_inlet(processor, kind)
        except (KeyError, TypeError) as error:
            raise ParameterError(f"{kind} cannot use a processor's name: {error.args[0]}.") from error

    def members(self) -> dict[Path, nn.Module]:
        return {(name,): processor for name, processor in self.processors.items()}

    def parameter_size(self) -> ParameterSize:
        return {name: processor.parameter_size() for name, processor in self.processors.items()}

    def external_parameters(self) -> set[str]:
        """Return the names of the external parameters."""
        return set().union(*map(_external_parameters, self.processors.values()))

    @abstractmethod
    def forward(self, *inlet_signals: Tensor, **raw_parameters) -> Output: ...

    def _route(self, raw_parameters: dict) -> dict[str, dict]:
        """Return each member's parameters: its own, and the external ones that it takes."""
        external = self.external_parameters()
        for name in raw_parameters:
            if name not in self.processors and name not in external:
                raise ParameterError(
                    f"{type(self).__name__} takes no parameter {name!r}; its processors are "
                    f"{', '.join(self.processors)}."
                )
        routed = {}
        for name, processor in self.processors.items():
            own = raw_parameters.get(name)
            if own is None and processor.parameter_size():
                raise ParameterError(f"{type(self).__name__} needs the parameters of {name!r}, a dict.")
            if own is not None and not hasattr(own, "keys"):
                raise ParameterError(f"The parameters of {name!r} must be a dict, not a {type(own).__name__}.")
            shared = {k: raw_parameters[k] for k in _external_parameters(processor) if k in raw_parameters}
            routed[name] = {**shared, **(own or {})}
        return routed

    def _tails(self, raw_parameters: dict) -> list[int]:
        return [tail_of(self.processors[name], own) for name, own in self._route(raw_parameters).items()]


def _check_member(processor: nn.Module, container: str) -> nn.Module:
    if not hasattr(processor, "parameter_size"):
        raise ParameterError(f"{container} wraps processors; a {type(processor).__name__} has no parameter_size.")
    if "num_samples" in inspect.signature(processor.forward).parameters:
        raise ParameterError(
            f"{container} cannot wrap the generator {type(processor).__name__}: it needs one inlet and one outlet."
        )
    return processor


def _check_one_inlet(processor: nn.Module, container: str) -> None:
    """Refuse a processor that declares several inlets, of which a container would feed the first alone."""
    inlets = plugs_of(processor, "inlets")
    if inlets is not None and len(inlets) != 1:
        has = ", ".join(inlets) or "none"
        raise ParameterError(f"{container} wraps processors with one inlet; {type(processor).__name__} has {has}.")


def _external_parameters(processor: nn.Module) -> set[str]:
    return contract_of(processor).external_parameters()


def _only_signal(container: Processor, inlet_signals: tuple[Tensor, ...]) -> Tensor:
    if len(inlet_signals) != 1:
        raise ParameterError(
            f"{type(container).__name__} takes the signal of one inlet and got {len(inlet_signals)}: generators and "
            "processors with several inlets cannot be wrapped."
        )
    return inlet_signals[0]


def call_member(name: str, processor: nn.Module, parameters: dict, *inlet_signals: Tensor) -> tuple[Tensor, dict]:
    """The output of a member and its intermediates, which may be none; its states are kept under its name."""
    result = in_part(name, lambda: run(processor, *inlet_signals, **parameters))
    outputs = [result] if isinstance(result, Tensor) else list(result)
    intermediates = outputs.pop() if isinstance(outputs[-1], dict) else {}
    if len(outputs) != 1:
        raise ParameterError(
            f"Containers wrap processors with one outlet; {type(processor).__name__} has {len(outputs)}."
        )
    return outputs[0], intermediates


def with_intermediates(output: Tensor, intermediates: dict) -> Output:
    return (output, intermediates) if intermediates else output
