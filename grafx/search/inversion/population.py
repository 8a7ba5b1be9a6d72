"""Populations of settings, as normalized values ``(count, P)``, improved by evolution and by descent."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .memory import LoopState, Memory

Population = tuple[Tensor, Tensor]  # values (count, P) and their losses (count,)
Objective = Callable[[Tensor], Tensor]  # from values to losses


def evolve(
    objective: Objective,
    population: Population,
    generations: int,
    generator: torch.Generator,
    memory: Memory | None = None,
) -> Iterator[Population]:
    """Evolve a population by differential evolution towards the better fifth.

    Args:
        objective: Function to minimize.
        population: Values from 0 to 1, and their losses.
        generations: Number of generations.
        generator: Random generator.
        memory: State of an interrupted run.

    Yields:
        Each generation.

    References:
        Storn and Price, "Differential evolution", J. Global Optimization 11, 1997.
    """
    count, shape = population[0].shape[0], population[0].shape

    def start() -> LoopState:
        return {"values": population[0], "losses": population[1], "random": generator.get_state()}

    def step(_: int, state: LoopState) -> LoopState:
        values, losses = state["values"], state["losses"]
        generator.set_state(state["random"])
        elite = losses.argsort()[torch.randint(max(1, count // 5), (count,), generator=generator)]
        one, other = torch.randint(count, (2, count), generator=generator)
        mutants = values + 0.6 * (values[elite] - values) + 0.6 * (values[one] - values[other])
        mutants = 1 - (1 - mutants.abs()).abs()  # reflected at the limits
        crossed = torch.rand(shape, generator=generator).to(values) < 0.6
        children = torch.where(crossed, mutants.clamp(0, 1), values)
        new = objective(children)
        better = new < losses
        return {
            "values": torch.where(better[:, None], children, values),
            "losses": torch.where(better, new, losses),
            "random": generator.get_state(),
        }

    for state in (memory or Memory()).loop(start, step, generations):
        generator.set_state(state["random"])
        yield state["values"], state["losses"]


def descend(
    objective: Objective,
    starts: Tensor,
    steps: int,
    rate: float,
    cyclic: Tensor | None = None,
    memory: Memory | None = None,
) -> Iterator[Population]:
    """Run Adam from many starts at once.

    Args:
        objective: Function to minimize, with gradients.
        starts: Values from 0 to 1.
        steps: Number of steps.
        rate: Initial learning rate, which decays to a twentieth.
        cyclic: ``(P,)``, values that wrap around at 1; the others are clipped.
        memory: State of an interrupted run.

    Yields:
        After each step, the best of each path so far.
    """
    cyclic = torch.zeros(starts.shape[1], dtype=torch.bool) if cyclic is None else cyclic
    cyclic = cyclic.to(starts.device)

    def start() -> LoopState:
        losses, zeros = starts.new_full((len(starts),), torch.inf), torch.zeros_like(starts)
        return {"best": starts, "losses": losses, "_values": starts, "_exp_avg": zeros, "_exp_avg_sq": zeros}

    def step(number: int, state: LoopState) -> LoopState:
        values = state["_values"].clone().requires_grad_()
        optimizer = torch.optim.Adam([values], lr=rate * (1 - 0.95 * number / steps), betas=(0.9, 0.99))
        moments = {name: state[f"_{name}"].clone() for name in ("exp_avg", "exp_avg_sq")}
        optimizer.state[values] = {"step": torch.tensor(float(number)), **moments}
        losses = objective(values)
        better = losses.detach() < state["losses"]
        best = torch.where(better[:, None], values.detach(), state["best"])
        losses.sum().backward()
        if values.grad is not None:
            values.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.step()
        with torch.no_grad():
            moved = torch.where(cyclic, values.remainder(1), values.clamp(0, 1))
        return {
            "best": best,
            "losses": torch.where(better, losses.detach(), state["losses"]),
            "_values": moved,
            **{f"_{name}": moment for name, moment in moments.items()},
        }

    for state in (memory or Memory()).loop(start, step, steps):
        yield state["best"], state["losses"]
