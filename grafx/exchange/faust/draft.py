"""A processor as a function of Faust in the making: its inlets, its controls as sliders, its definitions."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
import torch.nn as nn

from ... import trees
from ...errors import ExchangeError
from ...processors.contract import contract_of
from ...processors.controls import Control
from ...text import printable
from .helpers import PIECES

Signal = list[str]
"""Expressions of the channels of a signal."""

TIMED = ("Hz", "ms", "s", "1/s", "cents")
"""Units of controls whose raw parameters stand for other values at another sample rate."""

DIGITS = 12
ROUNDING = 1e-9  # of a range, which a setting at its end may miss
STEPS = 10000  # of a slider
RESERVED = {"ba", "fi", "float", "int", "ma", "mem", "par", "prod", "seq", "si", "sum", "xor"}
"""Words of Faust, and of the libraries that are used, which a control could be called."""


@dataclass
class Scope:
    """What the function of a node consists of.

    Attributes:
        place: The node, for messages.
        group: Label of the group of its sliders.
        sample_rate: In Hz.
        write: Writes a member: see :func:`.kinds.write`.
        definitions: Name to expression, in order.
        notes: What else there is to know about it.
        latency: By how many samples its outlets are late.
    """

    place: str
    group: str
    sample_rate: float
    write: Callable[["Draft"], list[Signal]]
    definitions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    latency: int = 0

    def define(self, name: str, expression: str) -> str:
        """Add a definition, and return its name, which is another one where that is taken."""
        taken = name in self.definitions or name in PIECES or name in RESERVED
        free = f"{name}_{len(self.definitions)}" if taken else name
        self.definitions[free] = expression
        return free


class Draft:
    """A processor with its values, one row, within the function of a node.

    Args:
        scope: That of the node.
        processor: The processor.
        raw: Its nested raw parameters, without a batch axis.
        inlets: What comes in.
        path: Names of the members that lead to it.
        ranges: Controls by name in place of its own, which are those of a container.
    """

    def __init__(
        self,
        scope: Scope,
        processor: nn.Module,
        raw: Mapping[str, Any],
        inlets: Sequence[Signal],
        path: Sequence[str] = (),
        ranges: Mapping[str, Control] | None = None,
    ) -> None:
        self.scope, self.inlets, self.path = scope, list(inlets), tuple(path)
        self.processor: Any = processor  # of which writers know what class it is
        self.raw = trees.map_tensors(raw, torch.Tensor.double)
        self._controls = {leaf.path[-1]: leaf.control for leaf in contract_of(processor).leaves()} | dict(ranges or {})
        self._values: Mapping[str, Any] | None = None
        self._sliders: dict[tuple[str, tuple[int, ...]], str] = {}

    @property
    def x(self) -> Signal:
        """The channels at the first inlet."""
        return self.inlets[0]

    @property
    def values(self) -> Mapping[str, Any]:
        """Physical values of its controls, nested tensors without a batch axis."""
        values = self._values
        if values is None:
            with torch.no_grad():
                values = self._values = trees.row(contract_of(self.processor).raw_to_dsp(trees.batch(self.raw)))
        return values

    def hear(self, **raw: torch.Tensor) -> None:
        """Replace raw parameters by those within bounds that sound the same."""
        self.raw, self._values = {**self.raw, **raw}, None

    def value(self, name: str, *index: int) -> float:
        """A value of a control."""
        return float(self.values[name][index])

    def slider(self, name: str, *index: int) -> str:
        """The name of a slider for a control, or for one of its values: from its setting, within its range."""
        if (name, index) not in self._sliders:
            control, value = self._controls[name], self.value(name, *index)
            own = "_".join([*self.path, name, *map(str, index)])
            label = [*(f"v:{plain(part)}" for part in self.path), *([f"h:{plain(name)}"] if index else [])]
            label.append(" ".join(str(i + 1) for i in index) if index else plain(name))
            self._sliders[name, index] = self.scope.define(
                identifier(own),
                slider(self.scope, label, value, control.low, control.high, control.unit, control.scale),
            )
        return self._sliders[name, index]

    def define(self, name: str, expression: str) -> str:
        """Add a definition to the function, and return its name."""
        return self.scope.define(identifier("_".join([*self.path, name])), expression)

    def defined(self, name: str, signal: Sequence[str]) -> Signal:
        """Define each channel of a signal."""
        return [self.define(f"{name}{channel}", expression) for channel, expression in enumerate(signal)]

    def through(self, name: str, filter_: str, signal: Sequence[str] | None = None) -> Signal:
        """Send all channels of a signal, by default that of the first inlet, through one filter."""
        own = self.define(f"{name}_filter", filter_)
        return self.defined(name, [f"{channel} : {own}" for channel in (self.x if signal is None else signal)])

    def member(
        self,
        processor: nn.Module,
        raw: Mapping[str, Any],
        inlets: Sequence[Signal],
        name: str | None = None,
        ranges: Mapping[str, Control] | None = None,
    ) -> list[Signal]:
        """Write a processor that is part of this one, and return what it gives."""
        path = self.path if name is None else (*self.path, name)
        return self.scope.write(Draft(self.scope, processor, raw, inlets, path, ranges))

    def note(self, text: str) -> None:
        if text not in self.scope.notes:
            self.scope.notes.append(text)

    def refuse(self, why: str, remedy: str) -> NoReturn:
        """Refuse the node.

        Raises:
            ExchangeError: Always.
        """
        within = f", its {'.'.join(self.path)!r}" if self.path else ""
        name = type(self.processor).__name__
        raise ExchangeError(f"{self.scope.place} ({name}{within}) cannot be written in Faust: {why}. {remedy}")

    def check_rate(self, always: bool = False) -> None:
        """Refuse a processor made for another sample rate, where its sound depends on it."""
        rate = getattr(self.processor, "sample_rate", self.scope.sample_rate)
        own = getattr(self.processor, "declare_controls", list)()  # not those of members, which have their own rates
        timed = always or any(control.unit in TIMED for control in own)
        if timed and rate != self.scope.sample_rate:
            self.refuse(
                f"it was made for {rate:g} Hz, but the graph is written for {self.scope.sample_rate:g} Hz",
                f"Make it with sample_rate={self.scope.sample_rate:g}, or write the graph for {rate:g} Hz.",
            )


def slider(
    scope: Scope, label: Sequence[str], value: float, low: float, high: float, unit: str = "", scale: str = "linear"
) -> str:
    """A slider in the group of a node.

    Args:
        scope: That of the node.
        label: Groups within that of the node, and its own label.
        value: Its setting, which its range is extended to.
        low, high: Its range.
        unit: That of its value.
        scale: ``"log"`` for one whose ratios are even.
    """
    slack = ROUNDING * (high - low)
    value = min(max(value, low), high) if low - slack < value < high + slack else value
    low, high = min(low, value), max(high, value)
    *groups, own = label
    order = f"[{len(scope.definitions):03d}]"
    meta = (f"[unit:{unit}]" if unit else "") + ("[scale:log]" if scale == "log" and low > 0 else "")
    path = "/".join([f"v:{scope.group}", *groups, f"{order}{own}{meta}"])
    step = (high - low) / STEPS
    step = min(step, low / 100) if scale == "log" and low > 0 else step
    return f'hslider("{path}", {", ".join(map(number, (value, low, high, float(f"{step:.1g}"))))})'


def number(value: float) -> str:
    """A number as Faust reads it, without the sign of a negative zero."""
    value = float(value)
    if value == 0:
        return "0.0"
    text = repr(float(f"{value:.{DIGITS}g}"))
    return f"({text})" if value < 0 else text


def plain(name: str) -> str:
    """A label without the characters that mean something to Faust."""
    return re.sub(r"""[/\\"'\[\]:]|[^\S ]""", "_", printable(name))


def identifier(name: str) -> str:
    """A name as Faust takes it."""
    return re.sub(r"^(?=\d)", "n", re.sub(r"\W", "_", name, flags=re.ASCII))


def total(terms: Sequence[str]) -> str:
    """A sum, nested evenly so that it is no deeper than needed."""
    if len(terms) <= 2:
        return " + ".join(terms) if terms else "0.0"
    half = len(terms) // 2
    return f"({total(terms[:half])}) + ({total(terms[half:])})"


def in_series(filters: Sequence[str]) -> str:
    return " : ".join(filters) if filters else "_"
