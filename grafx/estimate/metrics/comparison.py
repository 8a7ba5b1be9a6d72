"""How far an estimated graph is from the true one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch.nn as nn
from scipy.optimize import linear_sum_assignment

from ...data import GRAFX
from .settings import Settings, distances, errors_between, processor_nodes, settings_by_node


class Pair(NamedTuple):
    """A node of the truth and the node of the estimate that stands for it.

    Attributes:
        truth, estimate: Node ids.
        node_type: Their type.
        errors: Control to its mean absolute error, normalized and physical.
    """

    truth: int
    estimate: int
    node_type: str
    errors: Mapping[str, tuple[float, float]]

    @property
    def error(self) -> float:
        """The mean normalized error of its controls; 0 where none counts."""
        return mean([normalized for normalized, _ in self.errors.values()]) or 0.0


@dataclass(frozen=True)
class Comparison:
    """How far an estimated graph is from the true one, see :func:`compare_graphs`."""

    node_type_error: float
    node_precision: float
    node_recall: float
    node_f1: float
    pairs: tuple[Pair, ...]

    @property
    def parameter_error(self) -> float | None:
        """The mean normalized error over matched nodes; None without any."""
        return mean([pair.error for pair in self.pairs])

    @property
    def parameter_errors(self) -> dict[str, tuple[float, float]]:
        """The mean errors of each control, normalized and physical, by ``"type.control"``."""
        return errors_by_control(self.pairs)


def compare_graphs(truth: GRAFX, estimate: GRAFX, processors: Mapping[str, nn.Module]) -> Comparison:
    """Compare an estimated graph with the true one.

    Args:
        truth: The graph to be found.
        estimate: What was found.
        processors: Node type to processor.

    Raises:
        EstimateError: There is no processor for a type.
    """
    true_types, types = processor_nodes(truth), processor_nodes(estimate)
    true_settings, settings = settings_by_node(truth, processors), settings_by_node(estimate, processors)
    matched = (Counter(true_types.values()) & Counter(types.values())).total()
    pairs = _pairs(true_types, types, true_settings, settings)
    return Comparison(
        (max(len(true_types), len(types)) - matched) / max(len(true_types), 1),
        share(matched, len(types)),
        share(matched, len(true_types)),
        share(2 * matched, len(true_types) + len(types)),
        tuple(pairs),
    )


def _pairs(
    true_types: Mapping[int, str],
    types: Mapping[int, str],
    true_settings: Mapping[int, Settings],
    settings: Mapping[int, Settings],
) -> list[Pair]:
    pairs = []
    for node_type in sorted({*true_types.values()} & {*types.values()}):
        ones = [node for node, kind in true_types.items() if kind == node_type]
        others = [node for node, kind in types.items() if kind == node_type]
        rows, columns = linear_sum_assignment(
            distances([true_settings[node] for node in ones], [settings[node] for node in others])
        )
        for row, column in zip(rows, columns, strict=True):
            one, other = ones[row], others[column]
            pairs.append(Pair(one, other, node_type, errors_between(true_settings[one], settings[other])))
    return pairs


def errors_by_control(pairs: Sequence[Pair]) -> dict[str, tuple[float, float]]:
    """The mean errors of each control over the nodes where it counts, by ``"type.control"``."""
    found: dict[str, list[tuple[float, float]]] = {}
    for pair in pairs:
        for control, errors in pair.errors.items():
            found.setdefault(f"{pair.node_type}.{control}", []).append(errors)
    return {name: tuple(mean(list(column)) for column in zip(*errors, strict=True)) for name, errors in found.items()}


def share(part: float, whole: float) -> float:
    """Their ratio; 1 where there is nothing to be found."""
    return part / whole if whole else 1.0


def mean(values: Sequence[float]) -> float | None:
    """Their mean; None without any."""
    return sum(values) / len(values) if values else None
