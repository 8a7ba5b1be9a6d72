"""How long something may still take, from how fast it went."""

import time
from collections import deque

SECONDS_LOOKED_BACK = 60
"""Steps of one phase take longer than those of another: only the last ones tell."""


class Pace:
    """How far something is, and since when.

    Attributes:
        started: When it began, on the clock that only goes forward.
        done: How much is done.
        total: Of how much; 0 where nobody knows.
    """

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.done = self.total = 0
        self._reached: deque[tuple[float, int]] = deque()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """How long it may still take; None before a first step is done.

        What was done before it began, as when it goes on after an interrupt, counts as done, but not as fast.
        """
        reached, done = self._reached, self.done  # another thread may look while this one goes on
        first, before = reached[0] if reached else (0.0, done)
        return (self.total - done) * (time.monotonic() - first) / (done - before) if done > before else None

    def reach(self, done: int, total: int) -> float:
        """Note how much is done, of how much, and return when."""
        now = time.monotonic()
        if total != self.total or done < self.done:
            self._reached = deque([(now, done)])
        elif done > self.done:
            self._reached.append((now, done))
        self.done, self.total = done, total
        while len(self._reached) > 2 and self._reached[1][0] < now - SECONDS_LOOKED_BACK:
            self._reached.popleft()
        return now
