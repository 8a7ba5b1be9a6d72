"""Kinds of nodes: a processor, how often it is drawn, and how its controls are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch.nn as nn

from ...data.configs import BUILT_IN_TYPES
from ...errors import EstimateError
from ...processors.controls import Leaf
from .distributions import Distribution, Fixed, Range, ranges_of
from .making import checked, make
from .parsing import parse_distribution
from .reading import Table, meant

GROUPS = "cleaning", "dynamics", "tone", "character", "space", "level"
"""What kinds are for, in the order in which an engineer uses them."""

KIND_KEYS = "processor", "options", "weight", "group", "controls", "by_stem"


@dataclass(frozen=True)
class Kind:
    """A node type of a prior.

    Attributes:
        name: Its node type.
        processor: Name of a class of :mod:`grafx.processors`.
        options: What the class is made with; a table that has ``class`` is a processor within, with its own options.
        weight: How often it is drawn, compared with other kinds.
        group: What it is for, one of :data:`GROUPS`.
        controls: Name of a control, with dots where it nests, to the distribution of its values. Others stay at their
            default.
        by_stem: Words of a stem's name, or ``"master"``, to the controls that are otherwise there: searches start from
            these, graphs are drawn without.
    """

    name: str
    processor: str
    options: Mapping[str, Any]
    weight: float
    group: str
    controls: Mapping[str, Distribution]
    by_stem: Mapping[str, Mapping[str, Distribution]] = field(default_factory=dict)

    @property
    def drawn(self) -> tuple[str, ...]:
        """Names of the controls whose values differ from graph to graph."""
        return tuple(name for name, distribution in self.controls.items() if not isinstance(distribution, Fixed))

    @property
    def limits(self) -> dict[str, Range]:
        """Name of each control that is drawn to the lowest and the highest value that it can have.

        An error as a share of this range compares with a guess, which the whole range of a processor hides.
        """
        ends = {name: [end for one in ranges_of(self.controls[name]) for end in one] for name in self.drawn}
        return {name: (min(values), max(values)) for name, values in ends.items()}

    def make(self, sample_rate: float) -> nn.Module:
        """Make its processor."""
        return make(self.processor, self.options, sample_rate)

    def plain(self) -> dict[str, Any]:
        """The table of it in a file."""
        tables = {
            "options": self.options,
            "controls": _plain_controls(self.controls),
            "by_stem": {stem: _plain_controls(controls) for stem, controls in self.by_stem.items()},
        }
        plain = {"processor": self.processor, "weight": self.weight, "group": self.group}
        return plain | {name: table for name, table in tables.items() if table}


def _plain_controls(controls: Mapping[str, Distribution]) -> dict[str, Any]:
    return {name: distribution.plain() for name, distribution in controls.items()}


def parse_kind(name: str, table: Table, sample_rate: float) -> tuple[Kind, nn.Module]:
    """Read a kind, and make its processor, which has the controls that are drawn.

    Raises:
        EstimateError: Something is unknown or not possible.
    """
    if fault := _name_fault(name):
        raise EstimateError(f"{table.place}: a kind cannot be named '{name}': {fault}.")
    processor = table.text("processor")
    options = _plain(table.table("options").content, table.inner("options"))
    made, leaves = checked(table.place, processor, options, sample_rate)
    group = table.text("group", "tone")
    if group not in GROUPS:
        raise EstimateError(f"{table.place}: group is '{group}'{meant(group, GROUPS)}")
    weight = table.number("weight", 1.0, low=0)
    controls = _parse_controls(table.table("controls"), leaves, processor)
    inner = table.table("by_stem")
    by_stem = {stem: _parse_controls(inner.table(stem), leaves, processor) for stem in inner.content}
    return Kind(name, processor, options, weight, group, controls, by_stem), made


def _name_fault(name: str) -> str | None:
    if not name.isidentifier():
        return "letters, digits and _ are possible"
    if name in BUILT_IN_TYPES:
        return "in, out and mix are taken"
    taken = any(hasattr(holder, name) for holder in (nn.ModuleDict, nn.ModuleDict(), nn.ParameterDict))
    return "modules of torch have a method or attribute of that name" if taken else None


def _parse_controls(table: Table, leaves: list[Leaf], who: str) -> dict[str, Distribution]:
    known = {leaf.name: leaf.control for leaf in leaves}
    given = dict(_flat(table.content, known))
    for name in given:
        if name not in known:
            raise EstimateError(f"{table.place}: {who} has no control '{name}'{meant(name, known)}")
    # In the order of the processor, which is that of normalized values, too.
    return {
        name: parse_distribution(given[name], table.inner(name), control)
        for name, control in known.items()
        if name in given
    }


def _flat(content: Mapping[str, Any], known: Mapping[str, Any], prefix: str = "") -> Any:
    """Names with dots for the nested tables of controls within containers."""
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and any(other.startswith(f"{name}.") for other in known):
            yield from _flat(value, known, f"{name}.")
        else:
            yield name, value


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, place) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, place) for inner in value]
    if not isinstance(value, str | int | float):
        raise EstimateError(
            f"{place} has {value!r:.60}, but must have texts, numbers, true or false, lists and tables."
        )
    return value
