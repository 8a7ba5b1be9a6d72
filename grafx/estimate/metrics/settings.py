"""ControlValues of nodes in physical and in normalized units, and how far two nodes are apart."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from ... import trees
from ...data import GRAFX
from ...data.attributes import BYPASS, WEIGHT, held_settings
from ...data.configs import BUILT_IN_TYPES
from ...errors import EstimateError
from ...parameters.settings import raw_row
from ...processors.contract import contract_of
from ...processors.controls import Control

TURNS = {"phase_deg": 360.0, "phase_cycles": 1.0}
"""Endings of the names of controls whose values are the same again after a turn."""


class ControlValue(NamedTuple):
    """The value, or the values, of one control.

    Attributes:
        physical: In the unit of the control, ``(N,)``.
        normalized: From 0 to 1 on the control's scale, ``(N,)``; what is beyond its range counts as its end.
        given: Whether the node says it, rather than leaves it at its default.
        turn: After how much the physical value is the same again, as a phase; the range is one turn.
    """

    physical: np.ndarray
    normalized: np.ndarray
    given: bool
    turn: float | None = None


ControlValues = dict[str, ControlValue]
"""The settings of a node by the names of its controls, ``"band.gain_db"`` for one of a member."""


def processor_nodes(G: GRAFX) -> dict[int, str]:
    """The nodes that are processors, with their types: all but inputs, outputs and sums."""
    types = {node: data["node_type"] for node, data in G.nodes(data=True)}
    return {node: types[node] for node in sorted(types) if types[node] not in BUILT_IN_TYPES}


def settings_by_node(G: GRAFX, processors: Mapping[str, nn.Module]) -> dict[int, ControlValues]:
    """The settings of all processors of a graph.

    Args:
        G: A graph whose nodes hold physical values, raw tensors, or neither, which are defaults.
        processors: Node type to processor.

    Raises:
        EstimateError: There is no processor for a type, or a value is not a number.
        ValueError: A control has a wrong name or value.
    """
    found = {}
    for node, node_type in processor_nodes(G).items():
        if node_type not in processors:
            known = ", ".join(processors) or "none"
            raise EstimateError(
                f"Node {node} is of type '{node_type}', for which there is no processor; there are {known}."
            )
        found[node] = settings_of_node(processors[node_type], G.nodes[node], f"Node {node} of type '{node_type}'")
    return found


@torch.no_grad()
def settings_of_node(processor: nn.Module, data: Mapping[str, Any], place: str) -> ControlValues:
    """The settings of a node with these attributes; the place is for messages."""
    leaves = contract_of(processor).leaves()
    given = _given(data, {leaf.path for leaf in leaves})
    found: ControlValues = {}
    if leaves:
        raw = trees.map_tensors(trees.batch(raw_row(processor, data, place)), Tensor.double)
        values = contract_of(processor).raw_to_dsp(raw)
        for leaf in leaves:
            value = trees.at(values, leaf.path)[0].reshape(-1)
            if value.isnan().any():
                raise EstimateError(f"{place}: {leaf.name} is not a number.")
            found[leaf.name] = _setting(leaf.control, value, leaf.path in given)
    if WEIGHT in data or data.get(BYPASS, False):
        weight = np.array([0.0 if data.get(BYPASS, False) else float(data[WEIGHT])])
        found[WEIGHT] = ControlValue(weight, weight, True)
    return found


def _setting(control: Control, value: Tensor, given: bool) -> ControlValue:
    normalized = control.to_norm(value.clamp(control.low, control.high)).clamp(0, 1)
    turns = (turn for name, turn in TURNS.items() if control.name.endswith(name))
    turn = next((turn for turn in turns if control.high - control.low == turn), None)
    return ControlValue(value.cpu().numpy(), normalized.cpu().numpy(), given, turn)


def _given(data: Mapping[str, Any], controls: set[trees.Path]) -> set[trees.Path]:
    """The controls that a node says; tensors say all."""
    if held_settings(data):
        return controls
    said = set(trees.paths(data.get("parameters") or {}))
    return said & controls if said <= controls else controls


# Distances

ALL_WET = ControlValue(np.ones(1), np.ones(1), False)


def errors_between(truth: ControlValues, estimate: ControlValues) -> dict[str, tuple[float, float]]:
    r"""The mean absolute errors of each control of two nodes of one type, normalized and physical.

    A control counts where both nodes say its value, or where it differs: one that is left at its default by either, and
    is at its default in the other, says nothing about an estimate.
    """
    errors = {}
    for name in dict.fromkeys([*truth, *estimate]):
        one, other = truth.get(name, ALL_WET), estimate.get(name, ALL_WET)
        physical, normalized = np.abs(one.physical - other.physical), np.abs(one.normalized - other.normalized)
        if one.turn:
            normalized = np.minimum(normalized, 1 - normalized)
            physical = np.minimum(physical % one.turn, one.turn - physical % one.turn)
        if (one.given and other.given) or normalized.any():
            errors[name] = (float(normalized.mean()), float(physical.mean()))
    return errors


def distances(truths: Sequence[ControlValues], estimates: Sequence[ControlValues]) -> np.ndarray:
    """The mean normalized errors over all controls, ``(N, M)``, for all pairs of nodes of one type."""
    names = dict.fromkeys(name for settings in (*truths, *estimates) for name in settings)
    matrix = np.zeros((len(truths), len(estimates)))
    for name in names:
        one, other = (
            np.stack([settings.get(name, ALL_WET).normalized for settings in side]) for side in (truths, estimates)
        )
        away = np.abs(one[:, None] - other[None])
        turns = any(settings[name].turn for settings in (*truths, *estimates) if name in settings)
        matrix += (np.minimum(away, 1 - away) if turns else away).mean(-1)
    return matrix / max(len(names), 1)
