"""Block-wise processing of signals, and the states that connect the blocks.

A ``forward`` sees a whole signal. Run inside :func:`block_by_block`, the same code sees one block, and everything in it
that looks at the past keeps a *state* by the functions of this module. Outside, these process a whole signal: the
past is silence, nothing is stored, and there is no latency.

Each has a name, to which a number is added where it is the second of that name or a later one, so a ``forward`` must
make the same calls in the same order for each block. States are plain data: dicts and tuples of tensors, numbers and
words, which can be saved, copied and moved.
"""

from __future__ import annotations  # those within functions would be evaluated when they are compiled

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import ParameterError

Result = TypeVar("Result")
State = dict[str, Any]
Plain = str | int | float | None
FOREIGN = "The state of this stream {}: it is that of another processor, or of other options."


class Unchanged:
    """Tensors and numbers, to be compared with those of the next block: the same objects, written to by nobody.

    A write is noticed by the version that torch counts, which it does not for ``.data`` and arrays of numpy.

    Args:
        values: All of them.
        contents: Whether what tensors on the CPU hold is compared, too, so that no write goes unnoticed.
    """

    def __init__(self, values: Sequence[Any], contents: bool = False) -> None:
        # Tensors of inference mode count no versions, and other objects may change in place.
        self._known = all(
            not value.is_inference() if isinstance(value, Tensor) else isinstance(value, Plain) for value in values
        )
        self._pairs = [(v, v._version if isinstance(v, Tensor) else None) for v in values] if self._known else []
        held = [v.detach() for v, version in self._pairs if version is not None and contents and v.device.type == "cpu"]
        self._held = [(v, v.clone()) for v in held]

    def __call__(self, values: Sequence[Any]) -> bool:
        """Whether these are the same."""
        if not self._known or len(values) != len(self._pairs):
            return False
        for value, (before, version) in zip(values, self._pairs, strict=True):
            if value is before:
                if version is not None and value._version != version:
                    return False
            elif version is not None or not isinstance(value, Plain) or value != before:
                return False
        return all(torch.equal(now, then) for now, then in self._held)


class _Memory:
    """What is remembered in a block.

    Args:
        before: The state after the block before.
        own: Whether that is the very one that the block before left.
        work: What it left besides, which follows from the state and from parameters.
    """

    def __init__(self, before: Mapping[str, Any] | None, own: bool = False, work: dict[str, Any] | None = None) -> None:
        self.before = before
        self.own = own
        self.work = work
        self.after: State = {}
        self._counts: dict[str, int] = {}

    def key(self, name: str) -> str:
        """The name of an entry, which no other has."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return name if count == 1 else f"{name} {count}"

    def recall(self, key: str) -> Any:
        if self.before is None:
            return None
        if key not in self.before:
            has = ", ".join(self.before) or "nothing"
            raise ParameterError(FOREIGN.format(f"has no {key!r}, which is remembered here, but {has}"))
        return self.before[key]

    def result(self) -> State:
        if more := [key for key in self.before or () if key not in self.after]:
            raise ParameterError(FOREIGN.format(f"has {', '.join(more)}, which nothing here remembers"))
        return self.after


_memory: ContextVar[_Memory | None] = ContextVar("_memory", default=None)
_num_streams = 0  # in all threads; it guards what torch.compile has compiled, which cannot look into context variables
_lock = Lock()


def _current() -> _Memory | None:
    return _memory.get() if _num_streams else None


@contextmanager
def block_by_block(state: State | None) -> Iterator[Callable[[], State]]:
    """Process a block of a signal within this context.

    Args:
        state: State after the previous block; ``None`` for the first one.

    Yields:
        A function that returns the state after the block.
    """
    memory = _Memory(state)
    with _remembering(memory):
        yield memory.result


def run_block(
    function: Callable[[], Result], state: State | None, own: bool, work: dict[str, Any]
) -> tuple[Result, State]:
    """Process a block of a signal by a function.

    Args:
        function: It processes the block.
        state: State after the previous block; None for the first one.
        own: Whether it is one that this stream knows, so that nothing in it needs a check.
        work: Where to keep what follows from the state and from parameters, for the next block.

    Returns:
        What the function returns, and the state after the block.
    """
    memory = _Memory(state, own, work)
    with _remembering(memory):
        return function(), memory.result()


class _remembering:
    """Context in which a memory is the current one."""

    def __init__(self, memory: _Memory) -> None:
        self.memory = memory

    def __enter__(self) -> None:
        self.token = _memory.set(self.memory)
        _count(1)

    def __exit__(self, *error: Any) -> None:
        _count(-1)
        _memory.reset(self.token)


def _count(change: int) -> None:
    global _num_streams
    with _lock:
        _num_streams += change


def in_blocks() -> bool:
    """Whether the current signal is a block of a longer one."""
    return _current() is not None


def is_own_state() -> bool:
    """Whether the state is the very one that the block before left, so that nothing in it needs a check."""
    memory = _current()
    return memory is not None and memory.own


def workplace(name: str) -> dict[str, Any] | None:
    """A dict that is kept for the next block, or None."""
    memory = _current()
    return None if memory is None or memory.work is None else memory.work.setdefault(name, {})


def remember(step: Callable[[Any], tuple[Result, Any]], name: str = "state") -> Result:
    """Run a function with the state that it left after the block before.

    Args:
        step: from a state, None at the beginning, to a result and the state after.
        name: of the entry that holds it.

    Returns:
        The result.
    """
    memory = _current()
    if memory is None:
        return step(None)[0]
    key = memory.key(name)
    result, memory.after[key] = step(memory.recall(key))
    return result


def in_part(name: str, function: Callable[[], Result]) -> Result:
    """Call a function whose states are kept together, under a name of their own."""
    memory = _current()
    if memory is None:
        return function()
    key = memory.key(name)
    part = _Memory(memory.recall(key), memory.own, None if memory.work is None else memory.work.setdefault(key, {}))
    token = _memory.set(part)
    try:
        result = function()
    finally:
        _memory.reset(token)
    memory.after[key] = part.result()
    return result


def claimed(present: Tensor, written: Tensor, place: int) -> tuple[Tensor, Tensor]:
    """A window of past samples, to write more from a place on, so that no state has to copy it.

    Args:
        present: The window ``(..., W)``, which all blocks in it share.
        written: How many of its samples are written, ``(1,)``, which they share.
        place: How many of them are those of the stream.

    Returns:
        Both; new ones where another stream went on from the same state. The number is to be set at the end.
    """
    with _lock:
        if written.item() == place:
            written.fill_(-1)
            return present, written
    return present.clone(), written.new_tensor([-1])


def with_past(x: Tensor, num_samples: int) -> Tensor:
    """Prepend past samples to a block ``(..., L)``, giving ``(..., num_samples + L)``; silence before the first."""

    def step(past: Tensor | None) -> tuple[Tensor, Tensor]:
        if past is None:
            past = x.new_zeros(*x.shape[:-1], num_samples)
        if past.shape != (*x.shape[:-1], num_samples):
            held = f"holds the past {tuple(past.shape)} where {(*x.shape[:-1], num_samples)} is needed"
            raise ParameterError(FOREIGN.format(held))
        extended = torch.cat([past.to(x), x], -1)
        return extended, extended[..., x.shape[-1] :].clone()

    return remember(step, "past") if num_samples else x


def late(x: Tensor, num_samples: int) -> Tensor:
    """Delay a signal in a stream to align it with a later one; offline, return it unchanged."""
    return with_past(x, num_samples)[..., : x.shape[-1]] if in_blocks() else x


def after_start(x: Tensor, num_samples: int) -> Tensor:
    """Silence the first samples of a delayed signal in a stream, which are before its time 0."""

    def step(count: int | None) -> tuple[Tensor, int]:
        early = min(num_samples - (count or 0), x.shape[-1])
        y = torch.cat([torch.zeros_like(x[..., :early]), x[..., early:]], -1) if early > 0 else x
        return y, min((count or 0) + x.shape[-1], num_samples)

    return remember(step, "samples before") if num_samples and in_blocks() else x


def once(function: Callable[..., Result], *tensors: Tensor | None) -> Result:
    """Cache a result in a stream, until the values of its tensors change.

    Args:
        function: Function from the tensors to a tensor, or to a nested tuple of tensors.
        tensors: Its arguments.

    Returns:
        The result.
    """
    memory = _current()
    if memory is None:
        return function(*tensors)
    key = memory.key("computed once")
    kept, seen = memory.recall(key), None if memory.work is None else memory.work.get(key)
    if seen is not None and seen[0] is kept and seen[1](tensors):
        memory.after[key] = kept
        return kept[1]
    memory.after[key] = None
    if kept is not None and _same(kept[0], tensors):
        result = kept[1]
    else:
        result = function(*tensors)
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
            return result  # each block has a graph of its own
        kept = tuple(None if t is None else t.detach().clone() for t in tensors), result
    memory.after[key] = kept
    if memory.work is not None:
        memory.work[key] = kept, Unchanged(tensors)
    return result


def first_bad_sample(x: Tensor) -> int | None:
    """Return where a signal ``(..., L)`` first is NaN or infinite, in any of its rows; ``None`` if it is finite."""
    if math.isfinite(x.sum().item()):  # one pass, conclusive unless the sum overflows
        return None
    bad = ~x.isfinite().flatten(0, -2).all(0)
    return int(bad.nonzero()[0]) if bad.any() else None


def _same(before: Sequence[Tensor | None], now: Sequence[Tensor | None]) -> bool:
    return len(before) == len(now) and all(
        a is b if a is None or b is None else a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(before, now, strict=True)
    )
