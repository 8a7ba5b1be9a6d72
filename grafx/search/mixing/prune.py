"""Pruning methods: trials that bypass processors and compare the loss."""

import math
from collections.abc import Callable, Mapping

Evaluate = Callable[[frozenset[int], float], float]
"""Function from bypassed nodes, and a loss that is too much, to the loss or, where that is certain to be too much, to
what is certain."""


def drywet_guided(
    weights: Mapping[int, float],
    types: Mapping[int, str],
    evaluate: Evaluate,
    bound: float,
    largest: float = math.inf,
) -> frozenset[int]:
    """Bypass the nodes with the smallest dry/wet weights, many at a time.

    For each type, half of its nodes with the smallest weights are tried at once; a failed trial is repeated with half
    as many, down to one. The loss may rise by at most each node's share: the distance to the bound divided by the
    number of candidates. So the first type does not use up the headroom of the others.

    Args:
        weights: Dry/wet weight of each candidate.
        types: Node type of each candidate.
        evaluate: Computes the loss with some nodes bypassed, see :data:`Evaluate`.
        bound: Largest accepted loss.
        largest: By how much one node may raise it.

    Returns:
        The nodes that can be removed together.

    References:
        Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024; the share is ours.
    """
    removed: frozenset[int] = frozenset()
    if not weights:
        return removed
    loss = evaluate(removed, math.inf)
    share = min(max(bound - loss, 0) / len(weights), largest)
    for node_type in sorted({types[node] for node in weights}):
        left = sorted((node for node in weights if types[node] == node_type), key=lambda node: (weights[node], node))
        size = math.ceil(len(left) / 2)
        while size and left:
            trial = removed | set(left[:size])
            most = min(bound, loss + share * size)
            trial_loss = evaluate(trial, most)
            if trial_loss <= most:
                removed, loss, left = trial, trial_loss, left[size:]
                size = min(size, len(left))
            else:
                size //= 2
    return removed


def brute_force(
    weights: Mapping[int, float],
    types: Mapping[int, str],  # noqa: ARG001 – every method is called alike
    evaluate: Evaluate,
    bound: float,
    largest: float = math.inf,
) -> frozenset[int]:
    """Measure the loss without each node, then bypass nodes from the cheapest on while the loss stays within the bound.

    What alone is too much is not tried with others.

    Arguments and result as in :func:`drywet_guided`; weights and types are ignored.
    """
    removed: frozenset[int] = frozenset()
    loss = evaluate(removed, math.inf)
    most = min(bound, loss + largest)
    alone = {node: evaluate(frozenset({node}), most) for node in weights}
    for node in sorted((node for node in weights if alone[node] <= most), key=lambda node: (alone[node], node)):
        most = min(bound, loss + largest)
        trial_loss = evaluate(removed | {node}, most)
        if trial_loss <= most:
            removed, loss = removed | {node}, trial_loss
    return removed


def hybrid(
    weights: Mapping[int, float],
    types: Mapping[int, str],
    evaluate: Evaluate,
    bound: float,
    largest: float = math.inf,
) -> frozenset[int]:
    """Prune by dry/wet weights first, then by brute force on the remaining nodes.

    Arguments and result as in :func:`drywet_guided`.
    """
    removed = drywet_guided(weights, types, evaluate, bound, largest)
    left = {node: weight for node, weight in weights.items() if node not in removed}
    return removed | brute_force(left, types, lambda trial, most: evaluate(removed | trial, most), bound, largest)


METHODS = {"drywet": drywet_guided, "brute-force": brute_force, "hybrid": hybrid}
