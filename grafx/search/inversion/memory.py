"""Loops that can be interrupted after any step, saved, and resumed exactly."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from ...errors import SearchError
from ...files import replacing

LoopState = dict[str, Tensor]
"""All that the next step of a loop depends on; what begins with an underscore, nothing else does."""

FINGERPRINT, LOSSES = "fingerprint", "losses"


class Memory:
    """State of the loops of a deterministic program, in the order in which they start.

    A program that runs again with the same memory finds each loop in its state: finished loops yield their last state
    once; the interrupted one yields its state and continues; all others start.

    Attributes:
        loops: Number of finished steps and the state, for each loop.
        done: Number of finished steps of the loop that yielded last.
    """

    def __init__(self) -> None:
        self.loops: list[tuple[int, LoopState]] = []
        self.done = 0
        self._next = 0

    def rewind(self) -> None:
        """Start the program again from its first loop."""
        self._next = 0

    def loop(
        self, start: Callable[[], LoopState], step: Callable[[int, LoopState], LoopState], count: int
    ) -> Iterator[LoopState]:
        """Repeat a step.

        Args:
            start: Makes the first state.
            step: Makes the next state from the number of finished steps and a state, which it does not change.
            count: Number of steps.

        Yields:
            The state after each step; a resumed loop yields its saved state first.
        """
        index, self._next = self._next, self._next + 1
        if index == len(self.loops):
            self.loops = [(done, _lasting(state)) for done, state in self.loops]
            self.loops.append((0, start()))
        done, state = self.loops[index]
        if done:
            self.done = done
            yield state
        for number in range(done, count):
            state = step(number, state)
            self.done = number + 1
            self.loops[index] = self.done, state
            yield state


def _lasting(state: LoopState) -> LoopState:
    return {name: value for name, value in state.items() if not name.startswith("_")}


def save_memory(memory: Memory, losses: Mapping[int, float], fingerprint: str, file: str | os.PathLike) -> None:
    """Write a memory, and losses by step number, atomically."""
    file = Path(file)
    tensors = {LOSSES: torch.tensor(list(losses.items()), dtype=torch.float64)}
    for index, (done, state) in enumerate(memory.loops):
        tensors[f"{index}/done"] = torch.tensor(done)
        tensors |= {f"{index}/state/{name}": value for name, value in state.items()}
    tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as fresh:
        fresh.write_bytes(save(tensors, {FINGERPRINT: fingerprint}))


def load_memory(file: str | os.PathLike, fingerprint: str) -> tuple[Memory, dict[int, float]] | None:
    """Load a memory saved by :func:`save_memory`, or return ``None`` if there is no file.

    Raises:
        SearchError: The file is damaged or belongs to another inversion.
    """
    file, memory = Path(file), Memory()
    if not file.exists():
        return None
    try:
        with safe_open(file, "pt") as opened:
            same = (opened.metadata() or {}).get(FINGERPRINT) == fingerprint
        tensors = load(file.read_bytes())
        losses = {int(number): loss for number, loss in tensors.pop(LOSSES).reshape(-1, 2).tolist()}
        loops: dict[int, tuple[int, LoopState]] = {}
        for path, tensor in tensors.items():
            index, _, name = path.partition("/")
            if name != "done":
                _, state = loops.setdefault(int(index), (int(tensors[f"{index}/done"]), {}))
                state[name.removeprefix("state/")] = tensor
        memory.loops = [loops[index] for index in range(len(loops))]
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise SearchError(f"{file} is damaged ({error}): remove it to start again.") from error
    if not same:
        raise SearchError(
            f"{file.parent} belongs to an inversion of other audio or options: give the same ones to go on with it, or"
            " another output folder to start again."
        )
    return memory, losses
