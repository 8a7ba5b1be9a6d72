"""Graphs for benchmarks, built with the common interface of both packages."""

import itertools
import random
from collections.abc import Sequence

from grafx.data import GRAFX, NodeConfigs

TYPES = [f"p{i}" for i in range(7)]
TRACK = ["eq", "compressor", "noisegate", "gain", "delay", "reverb"]
CHANNEL_STRIP = ["eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb"]


def chains(seed: int, count: int, shortest: int = 3, longest: int = 8) -> GRAFX:
    """Build chains of random types, mixed into one output."""
    rng = random.Random(seed)
    G = GRAFX(config=NodeConfigs(TYPES))
    mix = G.add("mix")
    for _ in range(count):
        types = [rng.choice(TYPES) for _ in range(rng.randint(shortest, longest))]
        G.connect(G.add_serial_chain(["in", *types])[1], mix)
    G.connect(mix, G.add("out"))
    return G


def random_dag(seed: int, count: int) -> GRAFX:
    """Build a graph of random types, in which nodes read one to three earlier ones, most of them close by."""
    rng = random.Random(seed)
    G = GRAFX(config=NodeConfigs(TYPES))
    G.add("in")
    for _ in range(count):
        node = G.add(rng.choice([*TYPES, "mix"]))
        num_sources = rng.choice([1, 1, 1, 2, 3])
        for source in {rng.randrange(max(0, node - rng.choice([5, 50, 5000])), node) for _ in range(num_sources)}:
            G.connect(source, node)
    G.connect(node, G.add("out"))
    return G


def line(length: int, chain: Sequence[str] = ("gain",)) -> GRAFX:
    """Build one chain with alternating types."""
    G = GRAFX(config=NodeConfigs(sorted(set(chain))))
    G.add_serial_chain(["in", *itertools.islice(itertools.cycle(chain), length), "out"])
    return G


def strips(tracks: int, chain: Sequence[str]) -> GRAFX:
    """Build a chain for each track, with separate outputs."""
    G = GRAFX(config=NodeConfigs(sorted(set(chain))))
    for _ in range(tracks):
        G.add_serial_chain(["in", *chain, "out"])
    return G


def console(tracks: int, chain: Sequence[str] = TRACK, groups: int = 4) -> GRAFX:
    """Build a chain for each track, for each group of tracks, and for the master."""
    G = GRAFX(config=NodeConfigs(sorted(set(chain))))
    ends = [G.add_serial_chain(["in", *chain])[1] for _ in range(tracks)]
    buses = []
    for group in range(groups):
        bus, end = G.add_serial_chain(["mix", *chain])
        for track in ends[group * tracks // groups : (group + 1) * tracks // groups]:
            G.connect(track, bus)
        buses.append(end)
    master, _ = G.add_serial_chain(["mix", *chain, "out"])
    for bus in buses:
        G.connect(bus, master)
    return G


def matrix(tracks: int, buses: int) -> GRAFX:
    """Build a matrix of every track to every bus, and of the buses to one output."""
    G = GRAFX(config=NodeConfigs(["gain"]))
    sources = [G.add("in") for _ in range(tracks)]
    out = G.add("out")
    for _ in range(buses):
        bus = G.add("mix")
        for source in sources:
            G.connect(source, bus)
        G.connect(bus, out)
    return G


def pruned(tracks: int, keep: float, seed: int = 0) -> GRAFX:
    """Build a console of channel strips and a master, of whose processors a share is left."""
    rng = random.Random(seed)
    G = GRAFX(config=NodeConfigs(sorted(CHANNEL_STRIP)))

    def left() -> list[str]:
        return [node_type for node_type in CHANNEL_STRIP if rng.random() < keep]

    ends = [G.add_serial_chain(["in", *left()])[1] for _ in range(tracks)]
    master, _ = G.add_serial_chain(["mix", *left(), "out"])
    for end in ends:
        G.connect(end, master)
    return G


def sidechained(tracks: int) -> GRAFX:
    """Build tracks whose compressors hear the next track, and whose reverb is shared."""
    plain = {"inlets": ["main"], "outlets": ["main"]}
    compressor = {"inlets": ["main", "sidechain"], "outlets": ["main"]}
    G = GRAFX(config=NodeConfigs({"eq": plain, "reverb": plain, "compressor": compressor}))
    starts = [G.add_serial_chain(["in", "eq"])[1] for _ in range(tracks)]
    ends = [G.add("compressor") for _ in starts]
    mix, send = G.add("mix"), G.add("mix")
    for track, (start, end) in enumerate(zip(starts, ends, strict=True)):
        G.connect(start, end)
        G.connect(starts[(track + 1) % tracks], end, inlet="sidechain")
        G.connect(end, mix)
        G.connect(end, send)
    first, last = G.add_serial_chain(["reverb", "out"])
    G.connect(send, first)
    G.connect(mix, last)
    return G
