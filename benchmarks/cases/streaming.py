"""Consoles rendered block by block. They import the measured package themselves, as memory is measured."""

import time
from collections.abc import Callable
from typing import Any

from . import both, graphs

RATE = 44100
GROUPS_OF = 4
"""Tracks in each group."""
FOUND = (("eq", "compressor", "gain"), ("eq", "gain"), ("compressor", "reverb"), ("eq", "imager"))
FOUND_INPUTS = len(FOUND)


def blocks(console: str, tracks: int, length: int, count: int) -> Callable[[], dict[str, float]]:
    """Render blocks, one after another.

    Args:
        console: ``"plain"``, that of the other cases; ``"search"``, the initial one of a search; or ``"found"``, a
            graph that is left of one, with four inputs.
        tracks: Number of its inputs.
        length: Samples of a block.
        count: Number of blocks.

    Returns:
        A function to run. Its results are ``mean`` and ``slowest``, the seconds for a block; and ``late``, the share of
        blocks that took longer than their sound lasts.
    """
    import torch

    render = _stream(console, tracks)
    tracks = FOUND_INPUTS if console == "found" else tracks
    render(torch.randn(tracks, 2, length))  # compiles, and loads libraries

    def run() -> dict[str, float]:
        seconds = []
        for _ in range(count):
            block = torch.randn(tracks, 2, length)
            start = time.perf_counter()
            render(block)
            seconds.append(time.perf_counter() - start)
        late = sum(second > length / RATE for second in seconds) / count
        return {"mean": sum(seconds) / count, "slowest": max(seconds), "late": late}

    return run


def long_sound(tracks: int, length: int, seconds: float) -> Callable[[], None]:
    """Render a number of seconds with the plain console, without keeping the output."""
    import torch

    render = _stream("plain", tracks)
    render(torch.randn(tracks, 2, length))  # compiles, and loads libraries

    def run() -> None:
        left = round(seconds * RATE)
        while left > 0:
            render(torch.randn(tracks, 2, min(length, left)))
            left -= length

    return run


def _stream(console: str, tracks: int) -> Callable[[Any], Any]:

    from grafx.render import StreamRenderer
    from grafx.search import build_console, console_processors

    if console == "plain":
        G = graphs.console(tracks, graphs.CHANNEL_STRIP, groups=tracks // GROUPS_OF)
        return StreamRenderer(G, both.processors_of(set(G.config.node_types)))
    if console == "found":
        G, processors = _found(), console_processors()
        return _weighted(StreamRenderer(G, processors))
    names = [f"track {index}" for index in range(tracks)]
    groups = {f"group {first}": names[first : first + GROUPS_OF] for first in range(0, tracks, GROUPS_OF)}
    return _weighted(StreamRenderer(build_console(names, groups), console_processors()))


def _weighted(stream: Any) -> Callable[[Any], Any]:
    import torch

    weights = {"drywet_weight": torch.full((len(stream.G),), 0.5)}
    return lambda block: stream(block, weights)


def _found() -> Any:
    """A mix of four tracks in 15 nodes, as searches find it."""
    from grafx.data import GRAFX, NodeConfigs

    G = GRAFX(config=NodeConfigs(sorted({node_type for chain in FOUND for node_type in chain})))
    mix = G.add("mix")
    for chain in FOUND:
        G.connect(G.add_serial_chain(["in", *chain])[1], mix)
    G.connect(mix, G.add("out"))
    return G
