"""What can be set at a node, as plain data."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from torch import Tensor

from ... import trees
from ...data.configs import BUILT_IN_TYPES
from ...parameters.settings import LONGEST, settings_of
from ...parameters.words import UNITS
from ...processors.contract import contract_of
from ..heard import Heard
from ..model import plain

MOST = 128
"""Number of values of a control from which on it is too large to be turned by hand."""


def knobs_of(heard: Heard, node_id: int) -> list[dict[str, Any]]:
    """List the controls of a node with their ranges, and their values, each with the path by which it is set.

    A spectrum has one value for each octave. Controls of very many values are left out.
    """
    node_type = heard.G.nodes[node_id]["node_type"]
    if node_type in BUILT_IN_TYPES:
        return []
    contract, raw = contract_of(heard.processors[node_type]), heard.parameters[node_id]
    leaves = contract.leaves()
    if not leaves:
        return []
    values, settings = contract.raw_to_dsp(raw), settings_of(contract, raw, 1)[0]
    found = []
    for leaf in leaves:
        size = trees.at(values, leaf.path)[0].numel()
        if leaf.control.hertz and size > LONGEST:
            knobs = _octaves(leaf.path, trees.at(settings, leaf.path) or {})
        elif size <= MOST:
            knobs = _values(leaf.path, trees.at(values, leaf.path)[0])
        else:
            continue
        stem, _, suffix = leaf.path[-1].rpartition("_")
        control = leaf.control
        found.append(
            {
                "name": " ".join((*leaf.path[:-1], stem if suffix in UNITS and stem else leaf.path[-1])).replace(
                    "_", " "
                ),
                "low": control.low,
                "high": control.high,
                "unit": control.unit,
                "scale": control.scale,
                "knobs": [{"path": [*path], "part": part, "value": value} for path, part, value in knobs],
            }
        )
    return plain(found)


def _octaves(path: trees.Path, settings: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    for octave, value in settings.items():
        if not isinstance(value, list):
            yield (*path, octave), octave, value
            continue
        for channel, one in enumerate(value):
            yield (*path, octave, channel), f"{octave}, {channel + 1}", one


def _values(path: trees.Path, values: Tensor) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    for index in product(*map(range, values.shape)):
        yield (*path, *index), ", ".join(str(i + 1) for i in index), values[index].item()
