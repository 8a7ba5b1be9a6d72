"""How far an estimated graph is from the true one."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch.nn as nn

from ...data import GRAFX
from ...errors import EstimateError
from .edits import edit_distance
from .equivalence import form_and_settings, free_groups
from .matching import Distances, best_matching, closest
from .settings import ControlValues, distances, errors_between, processor_nodes, settings_by_node


class Pair(NamedTuple):
    """A processor of the truth, and the one of the estimate that stands for it.

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
    r"""How far an estimated graph is from the true one.

    With :math:`n` processors and :math:`m` cables in the truth, :math:`\hat n` and :math:`\hat m` in the estimate, of
    which :math:`c` processors agree in type (as multisets) and :math:`k` cables under the best matching.

    Attributes:
        node_type_error: :math:`(\max(n, \hat n) - c) / n`: 0 is perfect, 1 that of an empty estimate; more where most
            of what is estimated is not there. For an empty truth, it is divided by 1.
        node_precision: :math:`c / \hat n`, from 0 to 1; 1 where nothing is estimated.
        node_recall: :math:`c / n`, from 0 to 1; 1 where nothing is to be found.
        node_f1: :math:`2 c / (n + \hat n)`, from 0 to 1.
        edge_precision: :math:`k / \hat m`, as that of nodes.
        edge_recall: :math:`k / m`.
        edge_f1: :math:`2 k / (m + \hat m)`, from 0 to 1: a cable agrees if its ends stand for each other, and its
            outlet and inlet are equal. Inputs, outputs and sums are ends as all others.
        edge_exact: Whether the matching is known to be the best; otherwise the three are at least this.
        edge_f1_bound: What ``edge_f1`` is at most under any matching; the same where that is exact.
        edit_distance: The fewest edits from one graph to the other, see :func:`~.edits.edit_distance`; 0 to that of
            removing one and adding the other.
        edit_exact: Whether they are known to be the fewest; otherwise there may be fewer.
        parameter_error: The mean over matched processors of their mean normalized error: from 0 to 1, and None where
            none are matched, or none of them has controls.
        parameter_errors: Mean errors of each control, normalized and physical, over the processors where it counts, by
            ``"type.control"``.
        pairs: The matched processors.
    """

    node_type_error: float
    node_precision: float
    node_recall: float
    node_f1: float
    edge_precision: float
    edge_recall: float
    edge_f1: float
    edge_exact: bool
    edge_f1_bound: float
    edit_distance: int
    edit_exact: bool
    parameter_error: float | None
    parameter_errors: Mapping[str, tuple[float, float]]
    pairs: tuple[Pair, ...]


AVERAGED = [
    field.name for field in fields(Comparison) if field.name not in ("parameter_error", "parameter_errors", "pairs")
]


def compare_graphs(
    truth: GRAFX, estimate: GRAFX, processors: Mapping[str, nn.Module], equivalent: bool = True
) -> Comparison:
    r"""Compare an estimated graph with the true one.

    Node types are compared as multisets, and cables under the matching of nodes of equal types in which most of them
    agree. The parameters are those of this matching; where several are as good, as where branches are alike, those
    count that are closest in their parameters. For a control of normalized values :math:`z` and :math:`\hat z`, from 0
    to 1 on its scale, the error is the mean of :math:`|z - \hat z|` over its values.

    Names count for inputs alone: where both graphs have inputs of one name, these stand for each other.

    Args:
        truth: The graph to be found. Its nodes hold physical values, raw tensors, or neither, which are defaults.
        estimate: What was found.
        processors: Node type to processor.
        equivalent: Whether graphs that sound the same, as far as that is known, are the same: both are compared in
            their :func:`canonical` form, and where the order of neighbours of one type is free, those stand for each
            other that are closest in their parameters.

    Raises:
        EstimateError: One is no graph, or there is no processor for a type.
        ValueError: A control has a wrong name or value.

    References:
        Node types as in Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """
    graphs = truth, estimate
    for name, G in zip(("truth", "estimate"), graphs, strict=True):
        if not isinstance(G, GRAFX):
            raise EstimateError(f"The {name} must be a GRAFX, not {type(G).__name__}.")
    if equivalent:
        forms = [form_and_settings(G, processors) for G in graphs]
        graphs, settings = zip(*forms, strict=True)
    else:
        settings = [settings_by_node(G, processors) for G in graphs]
    types, others = ([*processor_nodes(G).values()] for G in graphs)
    agreeing = (Counter(types) & Counter(others)).total()
    (true_graph, graph), (true_settings, own_settings) = graphs, settings
    between = _distances(true_settings, own_settings)
    matching = best_matching(true_graph, graph, between)
    nodes = matching.nodes
    if equivalent:
        nodes = closest(nodes, free_groups(true_graph, processors), free_groups(graph, processors), between)
    pairs = tuple(_pairs(true_graph, nodes, (true_settings, own_settings)))
    cables, found = (G.number_of_edges() for G in graphs)
    distance, fewest = edit_distance(true_graph, graph, matching.nodes)
    return Comparison(
        node_type_error=(max(len(types), len(others)) - agreeing) / max(len(types), 1),
        node_precision=share(agreeing, len(others)),
        node_recall=share(agreeing, len(types)),
        node_f1=share(2 * agreeing, len(types) + len(others)),
        edge_precision=share(matching.edges, found),
        edge_recall=share(matching.edges, cables),
        edge_f1=share(2 * matching.edges, cables + found),
        edge_exact=matching.exact,
        edge_f1_bound=share(2 * matching.bound, cables + found),
        edit_distance=distance,
        edit_exact=fewest,
        parameter_error=mean([pair.error for pair in pairs]),
        parameter_errors=errors_by_control(pairs),
        pairs=pairs,
    )


def _distances(truths: Mapping[int, ControlValues], estimates: Mapping[int, ControlValues]) -> Distances:
    """Distances of nodes in what can be set of their type, from 0 to 1."""

    def between(_: str, rows: Sequence[int], columns: Sequence[int]) -> np.ndarray:
        if rows[0] not in truths:
            return np.zeros((len(rows), len(columns)))
        return distances([truths[node] for node in rows], [estimates[node] for node in columns])

    return between


def _pairs(truth: GRAFX, nodes: Mapping[int, int], settings: Sequence[Mapping[int, ControlValues]]) -> list[Pair]:
    """The matched processors that can be set to anything."""
    truths, estimates = settings
    return [
        Pair(one, other, truth.nodes[one]["node_type"], errors_between(truths[one], estimates[other]))
        for one, other in sorted(nodes.items())
        if truths.get(one) or estimates.get(other)
    ]


def errors_by_control(pairs: Sequence[Pair]) -> dict[str, tuple[float, float]]:
    """The mean errors of each control over the nodes where it counts, by ``"type.control"``."""
    found: dict[str, list[tuple[float, float]]] = {}
    for pair in pairs:
        for control, errors in pair.errors.items():
            found.setdefault(f"{pair.node_type}.{control}", []).append(errors)
    return {name: tuple(np.mean(errors, 0).tolist()) for name, errors in sorted(found.items())}


def share(part: float, whole: float) -> float:
    """Their ratio; 1 where there is nothing to be found."""
    return part / whole if whole else 1.0


def mean(values: Sequence[float]) -> float | None:
    """Their mean; None without any."""
    return sum(values) / len(values) if values else None


def mean_comparison(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """The means over many graphs, as plain data.

    Args:
        comparisons: The results of :func:`compare_graphs`; at least one.

    Returns:
        ``"graphs"``, how many there are; the mean over graphs of each number of a :class:`Comparison`, and of
        ``"edge_exact"`` and ``"edit_exact"`` the share where it is; ``"parameter_error"`` and ``"parameter_errors"`` as
        there, but over all matched nodes of all graphs; ``"parameter_nodes"``, how many these are, and
        ``"parameter_counts"``, for how many of them each control counts.

    Raises:
        EstimateError: There is no comparison.
    """
    comparisons = list(comparisons)
    if not comparisons:
        raise EstimateError("There is no comparison to take the mean of: give those of at least one graph.")
    pairs = [pair for comparison in comparisons for pair in comparison.pairs]
    counts = Counter(f"{pair.node_type}.{control}" for pair in pairs for control in pair.errors)
    return {
        "graphs": len(comparisons),
        **{name: mean([float(getattr(comparison, name)) for comparison in comparisons]) for name in AVERAGED},
        "parameter_error": mean([pair.error for pair in pairs]),
        "parameter_errors": errors_by_control(pairs),
        "parameter_nodes": len(pairs),
        "parameter_counts": dict(sorted(counts.items())),
    }
