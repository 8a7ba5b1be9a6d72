"""Searches for mixing graphs, under this version of the package and earlier ones."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from .both import about
from .songs import Song, made_up_song, read_song

if TYPE_CHECKING:
    from grafx.search import Search

__all__ = ["about", "search_parts", "whole_search"]

PARTS = ("excerpt", "render", "loss", "backward", "optimizer")
POINTS = 30
"""Of a curve."""


class Clock:
    """Seconds and calls of named parts; ``seconds`` are without those of parts inside, ``whole`` with them."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._inside: list[float] = []

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is timed."""

        def measured(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            self._inside.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                passed = time.perf_counter() - began
                self.seconds[name] += passed - self._inside.pop()
                self.whole[name] += passed
                self.calls[name] += 1
                if self._inside:
                    self._inside[-1] += passed

        return measured


def search_parts(
    song: str | None, steps: int, seconds: float | None = None, method: str = "hybrid"
) -> Callable[[], dict[str, Any]]:
    """Take gradient steps of a search, then prune once.

    Args:
        song: Its folder, see :func:`read_song`.
        steps: Gradient steps.
        seconds: How much of the song is used; all by default.
        method: Of pruning.

    Returns:
        A function to run, which returns milliseconds of a gradient step in all (``step``), of its parts by name with
            the ``rest``, and of a pruning ``trial``; and how many ``trials`` there were.
    """
    given = read_song(song, seconds)
    _warm_up()

    def run() -> dict[str, Any]:
        search = _started(given, fit_steps=steps, rounds=1, tune_steps=0, method=method)
        clock, fit, fitted = Clock(), 0.0, Counter()
        with _timed_parts(search, clock):
            began = time.perf_counter()
            for progress in search.run():
                if progress.phase == "fit":
                    fit, fitted = time.perf_counter() - began, clock.seconds.copy()
        step = 1000 * fit / steps
        parts = {name: 1000 * fitted[name] / steps for name in PARTS}
        trials = clock.calls["trial"]
        return {
            **parts,
            "rest": step - sum(parts.values()),
            "step": step,
            "trial": 1000 * clock.whole["pruning"] / max(1, trials),
            "trials": trials,
        }

    return run


@contextmanager
def _timed_parts(search: "Search", clock: Clock) -> Iterator[None]:
    """Time all that a gradient step is made of, and count trials."""
    import torch

    from grafx.search import MatchLoss, Mixer
    from grafx.search.mixing import prune
    from grafx.search.mixing import search as module

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def prune_with(weights: Any, types: Any, evaluate: Callable[..., float], *bounds: float) -> Any:
            return method(weights, types, clock.timed("trial", evaluate), *bounds)

        return clock.timed("pruning", prune_with)

    with ExitStack() as stack:
        places = [(module, "random_excerpt", "excerpt"), (Mixer, "forward", "render"), (MatchLoss, "forward", "loss")]
        places += [(MatchLoss, "reference", "loss")]
        places += [(torch.Tensor, "backward", "backward"), (search.optimizer, "step", "optimizer")]
        for owner, name, part in places:
            if hasattr(owner, name):
                stack.enter_context(patch.object(owner, name, clock.timed(part, getattr(owner, name))))
        stack.enter_context(patch.dict(prune.METHODS, {name: counted(m) for name, m in prune.METHODS.items()}))
        yield


def whole_search(song: str | None, quick: bool) -> Callable[[], dict[str, Any]]:
    """Search a song with the default options or, with ``quick``, the first second of it with little effort.

    Returns:
        A function to run, which returns ``wall`` and ``processor`` seconds without reading files and compiling, the
            loss ``of_plain``, the share of processors that is ``removed`` and how many are ``left``, and a ``curve``
            of seconds and losses, relative to that of the plain sum.
    """
    given = read_song(song, 1.0 if quick else None)
    if not quick:
        _warm_up()

    def run() -> dict[str, Any]:
        effort = {"fit_steps": 2, "rounds": 1, "tune_steps": 1, "method": "drywet"} if quick else {}
        wall, processor = time.perf_counter(), time.process_time()
        search, curve = _search(given, **effort)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        found = search.result()
        left = found.num_processors / search.console.num_processors
        return {
            "wall": wall,
            "processor": processor,
            "of_plain": found.loss / search.plain_loss,
            "removed": 1 - left,
            "left": found.num_processors,
            "curve": _thinned([(seconds, loss / search.plain_loss) for seconds, loss in curve]),
        }

    return run


def _warm_up() -> None:
    """Compile, and load libraries."""
    _search(made_up_song(0.5), fit_steps=1, rounds=1, tune_steps=1, method="drywet")


def _started(song: Song, **options: Any) -> "Search":
    import torch

    from grafx.search import Options, Search

    stems, mix = torch.from_numpy(song.stems), torch.from_numpy(song.mix)
    return Search(stems, mix, song.rate, song.names, options=Options(**options))


def _search(song: Song, **options: Any) -> tuple["Search", list[tuple[float, float]]]:
    """Search, and note seconds and losses of all gradient steps."""
    began = time.perf_counter()
    search = _started(song, **options)
    curve = [(time.perf_counter() - began, p.loss) for p in search.run() if p.phase != "prune"]
    return search, curve


def _thinned(curve: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means over parts of a curve, as losses of single excerpts differ; each at the end of its part."""
    size = -(-len(curve) // POINTS)
    parts = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts]
