"""Blocks of one processor, one after another: what is checked, and what is not done again where nothing changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .core.autocast import autocast_of, in_full_precision
from .core.streaming import State, Unchanged, first_bad_sample, run_block, workplace
from .errors import ParameterError
from .options import difference, identity_of


class Resolution:
    """Raw parameters of a processor, as it takes them, which are those of the last block as long as none changes."""

    def __init__(self) -> None:
        self._kinds: list[Any] | None = None

    def fits(self, signals: Sequence[Tensor], parameters: Mapping[str, Any], source: Any = None) -> bool:
        """Whether :attr:`raw` is right for signals and parameters, which follow from these and their source."""
        if self._kinds is None or self._kinds != _kinds(signals):
            return False
        known = source is not None and source is self._source and len(signals) > 0
        return known or self._unchanged([*leaves(parameters)])

    def __call__(
        self, processor: Any, signals: Sequence[Tensor], parameters: Mapping[str, Any]
    ) -> tuple[Sequence[Tensor], Mapping[str, Any]]:
        """What the processor makes of signals and parameters."""
        if self.fits(signals, parameters):
            return signals, self.raw
        return self.renew(processor, signals, parameters)

    def renew(
        self, processor: Any, signals: Sequence[Tensor], parameters: Mapping[str, Any], source: Any = None
    ) -> tuple[Sequence[Tensor], Mapping[str, Any]]:
        resolved, self.raw = processor._resolved(signals, parameters)
        as_they_are = len(resolved) == len(signals) and all(a is b for a, b in zip(resolved, signals, strict=True))
        self._kinds = _kinds(signals) if as_they_are else None
        self._unchanged, self._source = Unchanged([*leaves(parameters)]), source
        return resolved, self.raw


def _kinds(signals: Sequence[Tensor]) -> list[Any]:
    if signals and torch.is_autocast_enabled(signals[0].device.type):
        return [None]
    return [(x.shape[:-1], x.dtype, x.device) for x in signals]


def leaves(tree: Mapping[str, Any]) -> Iterator[Any]:
    for value in tree.values():
        if not isinstance(value, Tensor) and hasattr(value, "values"):
            yield from leaves(value)
        else:
            yield value


def resolution_of_part() -> Resolution | None:
    """The one that a member of a container has between blocks, if there is one."""
    place = workplace("resolution")
    return None if place is None else place.setdefault("last", Resolution())


class Stream:
    """A processor and what it found out in the block before, see :meth:`~grafx.processors.base.Processor.stream`.

    Args:
        processor: One of ours.
        checks_blocks: Whether blocks may not be finite.
    """

    def __init__(self, processor: Any, checks_blocks: bool = True) -> None:
        self.processor, self.checks_blocks = processor, checks_blocks
        self._known: tuple[State | None, State | None] = None, None  # before the last block, and after it
        self._resolution, self._work = Resolution(), {}

    def __reduce__(self) -> tuple:
        return Stream, (self.processor, self.checks_blocks)

    def __call__(
        self, blocks: Sequence[Tensor], state: State | None, parameters: Mapping[str, Any], source: Any = None
    ) -> tuple[Tensor | tuple[Tensor, ...], State]:
        """Process a block.

        Args:
            blocks, state, parameters: Those of the processor's ``stream``.
            source: What the parameters follow from, another object as soon as that changes.
        """
        before, after = self._known
        own = state is not None and (state is after or state is before)
        same = own and self._resolution.fits(blocks, parameters, source)
        if not same:
            given = tuple(blocks), dict(parameters)
            if device := autocast_of(given):
                return in_full_precision(device, lambda given: self(given[0], state, given[1]), given)
        processor = self.processor
        if not own:
            self._work, self._whose = {}, identity_of(processor)
            if state is not None:
                self._check_state(state)
        if self.checks_blocks or not same:
            self._check_finite(blocks, {} if same else parameters)
        if same:
            signals, raw_parameters = blocks, self._resolution.raw
        else:
            signals, raw_parameters = self._resolution.renew(processor, blocks, parameters, source)
            self._shapes = self._shapes_of(signals, raw_parameters)
            if state is not None and state["memory"]:
                self._shapes = self._check_shapes(self._shapes, state)
        memory = None if state is None else state["memory"]
        result, memory = run_block(lambda: processor._computed(*signals, **raw_parameters), memory, own, self._work)
        after = {**self._whose, **self._shapes, "memory": memory}
        self._known = (state, after)
        if isinstance(result, Tensor):
            return result, after
        outputs = tuple(part for part in result if isinstance(part, Tensor))
        return (outputs[0] if len(outputs) == 1 else outputs), after

    def _check_state(self, state: Any) -> None:
        """Refuse a state that another processor left, or one of other options."""
        whose = self._whose
        known = isinstance(state, Mapping) and {*whose, "rows", "signals", "memory"} == state.keys()
        known = known and isinstance(state["memory"], Mapping)
        fault = difference(whose, {name: state[name] for name in whose}) if known else "it is none that stream returns"
        if fault:
            raise ParameterError(self._no_such_state(fault))

    def _shapes_of(self, signals: Sequence[Tensor], raw_parameters: Mapping[str, Any]) -> State:
        """How many rows there are, and the rows and channels at each inlet."""
        processor = self.processor
        inlets = {name: x for name, x in zip(processor.inlets, signals, strict=False) if isinstance(x, Tensor)}
        own = {name: raw_parameters[name] for name in processor.parameter_size() if name in raw_parameters}
        tensors = [value for value in (*inlets.values(), *leaves(own)) if isinstance(value, Tensor)]
        rows = max((value.shape[0] for value in tensors if value.ndim), default=1)
        return {"rows": rows, "signals": {name: tuple(x.shape[:-1]) for name, x in inlets.items()}}

    def _check_shapes(self, shapes: State, state: State) -> State:
        """Refuse a state of other signals; one row of what a generator is given serves all rows of a state."""
        if not shapes["signals"] and shapes["rows"] == 1 and not state["signals"]:
            return {name: state[name] for name in shapes}
        if fault := difference(shapes, {name: state[name] for name in shapes}):
            raise ParameterError(self._no_such_state(fault))
        return shapes

    def _check_finite(self, blocks: Sequence[Tensor], parameters: Mapping[str, Any]) -> None:
        who = type(self.processor).__name__
        for name, block in zip(self.processor.inlets, blocks, strict=False) if self.checks_blocks else ():
            if isinstance(block, Tensor) and (first := first_bad_sample(block)) is not None:
                raise ParameterError(
                    f"{who} cannot go on from NaN or infinity, which the inlet {name!r} has first in sample {first} of "
                    "this block: replace it, as by torch.nan_to_num, and go on from the same state."
                )
        for name, value in flat(parameters):
            if not isinstance(value, Tensor) or not value.is_floating_point():
                continue
            if not value.sum().isfinite() and not value.isfinite().all():
                raise ParameterError(f"{name} of {who} is NaN or infinite: give it finite values.")

    def _no_such_state(self, fault: str) -> str:
        return (
            f"{type(self.processor).__name__} cannot go on from this state: {fault}. Give one that it left itself, "
            "with the same options, after blocks of as many signals and channels; or None to begin anew."
        )


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The values of nested dicts, with their names."""
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        found += flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return found
