"""Settings as tables: CSV with a row for each value, and JSON with the edges."""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch.nn as nn
from torch import Tensor

from .. import trees
from ..data import GRAFX
from ..files import replacing, write_text
from ..processors.contract import contract_of
from ..processors.controls import Leaf
from .carried import Written
from .parts import Part, parts_of

COLUMNS = "node", "name", "chain", "type", "control", "at", "value", "unit", "low", "high"
"""Those of the CSV: ``chain`` is whose chain of a console a node is in, and ``at`` is the index of one of several
values, counted from 0, or its frequency in Hz."""
WET, DELAY, INVERTED = "wet", "delay", "inverted"
"""What a node is set to besides its controls: its share of the processed sound, and how a stem takes part."""


def write_csv(
    G: GRAFX,
    out: Path,
    sample_rate: int,
    *,
    stems: Tensor | None = None,  # noqa: ARG001 – that of all writers
    processors: Mapping[str, nn.Module] | None = None,
) -> Written:
    """Write the settings of a graph as CSV, a row for each value; see :func:`.write_graph`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for part in sorted(parts_of(G, sample_rate, processors), key=lambda part: part.id):
            for control in controls_of(part, sample_rate):
                for at, value in _values(control):
                    row = control["control"], at, value, control["unit"], control["low"], control["high"]
                    table.writerow([part.id, part.name, _chain(G, part), part.type, *row])
    return Written([out])


def write_json(
    G: GRAFX,
    out: Path,
    sample_rate: int,
    *,
    stems: Tensor | None = None,  # noqa: ARG001 – that of all writers
    processors: Mapping[str, nn.Module] | None = None,
) -> Written:
    """Write the settings and the edges of a graph as JSON; see :func:`.write_graph`."""
    parts = sorted(parts_of(G, sample_rate, processors), key=lambda part: part.id)
    nodes = [
        {
            "id": part.id,
            "name": part.name,
            "chain": _chain(G, part),
            "type": part.type,
            "class": None if part.processor is None else type(part.processor).__name__,
            "controls": controls_of(part, sample_rate),
        }
        for part in parts
    ]
    edges = [
        {"source": source, "outlet": data["outlet"], "dest": dest, "inlet": data["inlet"]}
        for source, dest, data in sorted(G.edges(data=True), key=lambda edge: (edge[:2], edge[2]["inlet"]))
    ]
    text = json.dumps({"sample_rate": sample_rate, "nodes": nodes, "edges": edges}, indent=1, ensure_ascii=False)
    write_text(out, text + "\n")
    return Written([out])


def controls_of(part: Part, sample_rate: int) -> list[dict[str, Any]]:
    """What a node is set to: its controls, raw parameters that no control sets, and its share.

    Returns:
        For each its name as ``control``, ``value``, ``unit``, and the range from ``low`` to ``high``, where it has one;
        the value is a number, or nested lists of them, and then ``hertz`` is the frequencies along their last axis if
        they are a spectrum. The unit of raw parameters is ``"raw"``.
    """
    if part.type == "in":
        placement = part.placement
        seconds = 1000 * placement.delay_samples / sample_rate
        return [_control(DELAY, seconds, "ms"), _control(INVERTED, int(placement.inverted), "", 0, 1)]
    if part.processor is None:
        return []
    contract = contract_of(part.processor)
    leaves = contract.leaves()
    found = [_of_leaf(leaf, trees.at(part.values, leaf.path)) for leaf in leaves]
    set_by_controls = {(*leaf.path[:-1], leaf.control.raw) for leaf in leaves}
    own = {path: value for path, value in trees.items(part.raw) if path not in set_by_controls}
    found += [_control(".".join(path), _plain(value), "raw") for path, value in own.items()]
    return [*found, _control(WET, part.wet, "", 0, 1)]


def _chain(G: GRAFX, part: Part) -> str | None:
    owner = G.nodes[part.id].get("owner")
    return None if owner is None else str(owner)


def _of_leaf(leaf: Leaf, value: Tensor) -> dict[str, Any]:
    control = leaf.control
    made = _control(leaf.name, _plain(value), control.unit, control.low, control.high)
    return {**made, "hertz": list(control.hertz)} if control.hertz else made


def _control(name: str, value: Any, unit: str, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    value = _plain(value) if isinstance(value, float) else value
    return {"control": name, "value": value, "unit": unit, "low": low, "high": high}


def _plain(value: Any) -> Any:
    """Numbers as JSON has them, of seven digits, which single precision has; ``None`` for what is not finite."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _values(control: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The single values of a control, with what tells them apart."""
    hertz = control.get("hertz")
    for index, value in _indexed(control["value"]):
        if hertz and index:
            *outer, last = index
            yield " ".join([*map(str, outer), f"{hertz[last]:g} Hz"]), value
        else:
            yield " ".join(map(str, index)), value


def _indexed(value: Any, index: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _indexed(each, (*index, number))
    else:
        yield index, value
