"""Many settings at once, as normalized values ``(count, P)``: how they get better by evolution, and by descent."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Population = tuple[Tensor, Tensor]  # values (count, P) and their losses (count,)
Objective = Callable[[Tensor], Tensor]  # from values to losses


def evolve(
    objective: Objective, population: Population, generations: int, generator: torch.Generator
) -> Iterator[Population]:
    """Differential evolution towards the better fifth.

    Args:
        objective: what is to be low.
        population: values from 0 to 1, and their losses.
        generations: how many there are.
        generator: draws who is crossed with whom.

    Yields:
        Each generation.

    Source: Storn and Price, "Differential evolution", J. Global Optimization 11, 1997.
    """
    values, losses = population
    count, shape = len(values), values.shape
    for _ in range(generations):
        elite = losses.argsort()[torch.randint(max(1, count // 5), (count,), generator=generator)]
        one, other = torch.randint(count, (2, count), generator=generator)
        mutants = values + 0.6 * (values[elite] - values) + 0.6 * (values[one] - values[other])
        mutants = 1 - (1 - mutants.abs()).abs()  # reflected at the limits
        crossed = torch.rand(shape, generator=generator).to(values) < 0.6
        children = torch.where(crossed, mutants.clamp(0, 1), values)
        new = objective(children)
        better = new < losses
        values = torch.where(better[:, None], children, values)
        losses = torch.where(better, new, losses)
        yield values, losses


def descend(
    objective: Objective, starts: Tensor, steps: int, rate: float, cyclic: Tensor | None = None
) -> Iterator[Population]:
    """Adam on many starts at once.

    Args:
        objective: what is to be low, with gradients.
        starts: values from 0 to 1.
        steps: how many there are.
        rate: of the first step, from which it falls to a twentieth.
        cyclic: ``(P,)``, which values go on at 0 when they pass 1; the others stop there.

    Yields:
        After each step, the best of each path so far.
    """
    cyclic = torch.zeros(starts.shape[1], dtype=torch.bool) if cyclic is None else cyclic
    cyclic = cyclic.to(starts.device)
    values = starts.clone().requires_grad_()
    best, best_losses = starts, starts.new_full((len(starts),), torch.inf)
    optimizer = torch.optim.Adam([values], betas=(0.9, 0.99))
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - 0.95 * step / steps)
        losses = objective(values)
        better = losses.detach() < best_losses
        best = torch.where(better[:, None], values.detach(), best)
        best_losses = torch.where(better, losses.detach(), best_losses)
        optimizer.zero_grad()
        losses.sum().backward()
        values.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.step()
        with torch.no_grad():
            values.copy_(torch.where(cyclic, values.remainder(1), values.clamp(0, 1)))
        yield best, best_losses
