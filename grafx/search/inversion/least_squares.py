"""Nonlinear least squares within 0 to 1, from many starts at once."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .memory import LoopState, Memory

NUDGE = 1e-4  # more would miss how fast phases turn, less would be lost in rounding
FACTORS = 0.1, 1.0, 10.0, 100.0
LONGEST_MOVE = 0.2


def levenberg_marquardt(
    errors_of: Callable[[Tensor], Tensor], starts: Tensor, steps: int, memory: Memory | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    r"""Minimize :math:`\lVert r(v) \rVert^2` for each of many vectors v, all of whose elements lie within 0 and 1.

    .. math:: v \leftarrow v - (J^\top J + \lambda D)^{-1} J^\top r

    with the Jacobian J, by finite differences, and D the diagonal of :math:`J^\top J` plus a part of its largest
    element. Each step tries several λ at once, and takes the best for each v, if it is an improvement. Elements at a
    limit that would move beyond it stay there.

    Args:
        errors_of: From ``(batch, P)`` to r, ``(batch, R)``.
        starts: ``(K, P)``.
        steps: Number of steps.
        memory: State of an interrupted run.

    Yields:
        After each step, v and :math:`\lVert r \rVert^2`, of shapes ``(K, P)`` and ``(K,)``.

    References:
        Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM J. Appl. Math. 11(2), 1963.
    """
    rows, factors = torch.arange(len(starts), device=starts.device), torch.tensor(FACTORS).to(starts)

    def start() -> LoopState:
        errors = errors_of(starts)
        costs = errors.square().sum(1)
        return {"values": starts, "costs": costs, "_errors": errors, "_damping": torch.full_like(costs, 1e-2)}

    def step(_: int, state: LoopState) -> LoopState:
        values, costs, errors, damping = (state[name] for name in ("values", "costs", "_errors", "_damping"))
        normal, pull = _normal_equations(errors_of, values, errors)
        tried = torch.stack([_moved(values, normal, pull, damping * factor) for factor in factors], 1)
        tried_errors = errors_of(tried.flatten(0, 1)).unflatten(0, tried.shape[:2])
        tried_costs, best = tried_errors.square().sum(2).nan_to_num(torch.inf).min(1)
        better = tried_costs < costs
        return {
            "values": torch.where(better[:, None], tried[rows, best], values),
            "costs": torch.where(better, tried_costs, costs),
            "_errors": torch.where(better[:, None], tried_errors[rows, best], errors),
            "_damping": (damping * torch.where(better, factors[best] / 2, 10.0)).clamp(1e-9, 1e3),
        }

    for state in (memory or Memory()).loop(start, step, steps):
        yield state["values"], state["costs"]


def _normal_equations(errors_of: Callable[[Tensor], Tensor], values: Tensor, errors: Tensor) -> tuple[Tensor, Tensor]:
    """Compute JᵀJ ``(K, P, P)`` and Jᵀr ``(K, P)`` in double precision, without elements held at a limit."""
    count, size = values.shape
    nudges = torch.where(values > 0.5, -NUDGE, NUDGE)  # always towards the inside
    nudged = values[:, None] + torch.diag_embed(nudges)
    slopes = errors_of(nudged.flatten(0, 1)).unflatten(0, (count, size)) - errors[:, None]
    slopes = (slopes / nudges[..., None]).nan_to_num(0.0, 0.0, 0.0)
    pull = (slopes @ errors[..., None])[..., 0].double()
    free = (((values > 0) | (pull < 0)) & ((values < 1) | (pull > 0))).double()
    normal = (slopes @ slopes.mT).double() * free[:, None] * free[..., None]
    return normal, pull * free


def _moved(values: Tensor, normal: Tensor, pull: Tensor, damping: Tensor) -> Tensor:
    diagonal = normal.diagonal(dim1=1, dim2=2)
    ridge = damping.double()[:, None] * (diagonal + 1e-3 * diagonal.amax(1, keepdim=True)) + 1e-9
    move = torch.linalg.solve(normal + torch.diag_embed(ridge), pull)
    return (values - move.clamp(-LONGEST_MOVE, LONGEST_MOVE).to(values)).clamp(0, 1)
