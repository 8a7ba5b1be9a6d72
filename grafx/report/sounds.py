"""The sounds of a page: which there are, and how they fit into it."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import networkx as nx
import torch
from torch import Tensor

from ..data.configs import BUILT_IN_TYPES
from ..errors import AudioError
from ..words import count
from .codec import MIME, Encoded, encode, heard_loudness
from .heard import Heard, Outlets, inlets_of, label_of, nodes_of, played, summed

PAIRS, ALL_PAIRS = 800, 80_000  # of peaks of a sound, and of all together
WHOLE = float("inf")
HOPS_PER_SECOND = 4  # by which the best part is looked for
MARGIN, OVERHEAD = 1.1, 1500  # of estimated sizes, and bytes of each file
ROUNDING = 3e-6  # of the loudest sample: −110 dB
BRIEF = 2  # s of silence that tell what a node makes of it
PIECE = 2**18  # samples that are compared at once


@dataclass(frozen=True)
class Sound:
    """A sound that a page offers.

    Attributes:
        label: What it is, in words.
        role: ``"track"``, ``"solo"`` or ``"node"``.
        signal: ``(C, L)``.
        minus: What is taken from it, if anything.
        place: Sounds of one place are cut alike.
    """

    label: str
    role: str
    signal: Tensor
    minus: Tensor | None = None
    place: Any = None

    def part(self, start: int, stop: int) -> Tensor:
        signal = self.signal[:, start:stop]
        return signal if self.minus is None else signal - self.minus[:, start:stop]


@dataclass
class Sounds:
    """All sounds of a graph by key, and who has which.

    Attributes:
        by_key: Key to sound.
        nodes: Node id to names (``"out"``, ``"in"``, ``"adds"``, other outlets) to keys.
        tracks: As in the model of a page.
    """

    by_key: dict[str, Sound] = field(default_factory=dict)
    nodes: dict[int, dict[str, str | None]] = field(default_factory=dict)
    tracks: dict[str, Any] = field(default_factory=dict)

    def add(self, key: str, sound: Sound) -> str:
        """Add a sound, unless it is there: return its key."""
        for known, other in self.by_key.items():
            same = _equal(other.signal, sound.signal) and _equal(other.minus, sound.minus)
            if same and (other.place == sound.place or other.role == "track"):
                return known
        self.by_key[key] = sound
        return key


class Plan(NamedTuple):
    """Bit rates in kbps of two channels, None for FLAC, and how many seconds there are, of each role."""

    rates: dict[str, float | None]
    seconds: dict[str, float]


def _plan(track: Any, solo: Any, node: Any, tracks: float = WHOLE, solos: float = WHOLE, nodes: float = WHOLE) -> Plan:
    return Plan({"track": track, "solo": solo, "node": node}, {"track": tracks, "solo": solos, "node": nodes})


PLANS = (
    _plan(None, None, None),
    _plan(128, 96, 96),
    _plan(96, 64, 64),
    _plan(80, 48, 64),
    _plan(64, 48, 48),
    _plan(64, 48, 48, nodes=20),
    _plan(64, 40, 48, nodes=10),
    _plan(64, 32, 48, nodes=6),
    _plan(64, 32, 48, solos=60, nodes=6),
    _plan(64, 32, 48, solos=30, nodes=5),
    _plan(48, 32, 40, solos=60, nodes=5),
    _plan(48, 32, 40, solos=30, nodes=4),
    _plan(40, 24, 32, solos=60, nodes=4),
    _plan(32, 24, 32, solos=60, nodes=4),
    _plan(32, 24, 32, solos=30, nodes=3),
    _plan(24, 24, 24, solos=20, nodes=2),
    *[_plan(24, 24, 24, tracks=seconds, solos=10, nodes=2) for seconds in (600, 300, 120, 60, 30, 15)],
    _plan(16, 16, 16, tracks=10, solos=2, nodes=1),
)
"""From the best to the smallest."""


def sounds_of(heard: Heard, alone: Mapping[int, Tensor] | None = None) -> Sounds:
    """Collect the sounds of a graph: mix, target, difference, each stem alone, and what each node gets, gives and adds.

    The input of a node that is another node's output is that sound; equal sounds are there once.

    Args:
        heard: The graph.
        alone: The output for each stem alone; by default what :func:`solos` computes.
    """
    found = Sounds()
    mix, target = heard.mix, heard.target
    tracks: dict[str, Any] = {"mix": found.add("mix", Sound("mix", "track", mix)), "target": None, "difference": None}
    if target is not None:
        tracks["target"] = found.add("target", Sound("target", "track", target))
        label = "mix minus target"
        tracks["difference"] = found.add("difference", Sound(label, "track", *_broadcast(mix, target)))
    alone = dict(solos(heard)) if alone is None else alone
    tracks["stems"] = [
        {
            "name": _name(heard, node_id),
            "node": node_id,
            "solo": found.add(f"solo-{node_id}", Sound(f"{_name(heard, node_id)} alone", "solo", signal)),
        }
        for node_id, signal in alone.items()
    ]
    tracks["additive_db"] = additivity(mix, list(alone.values()))
    found.tracks = tracks
    alike = _alike(heard)
    places = {node_id: frozenset(alike.get(s, s) for s in stems) for node_id, stems in stems_of(heard).items()}
    for node_id in nx.lexicographical_topological_sort(heard.G):
        found.nodes[node_id] = _of_node(heard, node_id, found, places[node_id])
    return found


def _of_node(heard: Heard, node_id: int, found: Sounds, place: Any) -> dict[str, str | None]:
    data = heard.G.nodes[node_id]
    inputs, outputs = list(heard.inputs[node_id].values()), heard.outputs[node_id]
    names = list(heard.G.config[data["node_type"]]["outlets"])
    label = label_of(heard.G, node_id)
    keys: dict[str, str | None] = {"out": None, "in": None, "adds": None}
    for number, signal in enumerate(outputs):
        key, words = (f"{node_id}-out", f"output of {label}") if not number else (f"{node_id}-out-{number}", "")
        words = words or f"outlet {names[number]} of {label}"
        keys["out" if not number else names[number]] = found.add(key, Sound(words, "node", signal, place=place))
    if not inputs:
        return keys
    built_in = data["node_type"] in BUILT_IN_TYPES
    if built_in:
        keys["in"] = keys["out"]
        return keys
    keys["in"] = found.add(f"{node_id}-in", Sound(f"input of {label}", "node", inputs[0], place=place))
    adds = Sound(f"what {label} adds", "node", *_broadcast(outputs[0], inputs[0]), place=place)
    if keys["in"] != keys["out"] and _is_more_than_rounding(adds):
        keys["adds"] = found.add(f"{node_id}-adds", adds)
    return keys


def _is_more_than_rounding(adds: Sound) -> bool:
    loudest = adds.signal.abs().max()
    pieces = range(0, adds.signal.shape[-1], PIECE)
    return any((adds.part(start, start + PIECE).abs() > ROUNDING * loudest).any() for start in pieces)


def _alike(heard: Heard) -> dict[int, int]:
    """Stem to the first one that sounds the same."""
    found: dict[int, int] = {}
    for stem in nodes_of(heard.G, "in"):
        signal = heard.outputs[stem][0]
        same = (other for other in dict.fromkeys(found.values()) if _equal(heard.outputs[other][0], signal))
        found[stem] = next(same, stem)
    return found


def _name(heard: Heard, node_id: int) -> str:
    name = heard.G.nodes[node_id].get("name")
    return str(name) if name else str(node_id)


def _broadcast(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    channels = max(one.shape[0], other.shape[0])
    return one.expand(channels, -1), other.expand(channels, -1)


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None or one is other:
        return one is other
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    middle = slice(one.shape[-1] // 2, one.shape[-1] // 2 + 4096)  # what differs mostly does so here
    return torch.equal(one[:, middle], other[:, middle]) and torch.equal(one, other)


# Stems alone


def stems_of(heard: Heard) -> dict[int, frozenset[int]]:
    """The ``in`` nodes and generators that each node hears."""
    found: dict[int, frozenset[int]] = {}
    for node_id in nx.topological_sort(heard.G):
        sources = frozenset().union(*(found[source] for source in heard.G.predecessors(node_id)))
        found[node_id] = sources or frozenset([node_id])
    return found


def solos(heard: Heard) -> Iterator[tuple[int, Tensor]]:
    """The output of the graph for each stem, with silence in place of the others.

    A node that hears no other stem sounds as it does in the mix, and is not computed again. One that hears only
    silence, and answers two seconds of it with silence, is taken to be silent.
    """
    stems, inputs = stems_of(heard), nodes_of(heard.G, "in")
    silent: dict[int, Outlets] = {}
    for stem in inputs:
        off = frozenset(inputs) - {stem}
        own: dict[int, Outlets] = {}

        def outlets_of(node_id: int, off: frozenset[int] = off, own: dict[int, Outlets] = own) -> Outlets:
            hushed = stems[node_id] & off
            if not hushed:
                return heard.outputs[node_id]
            memory = silent if hushed == stems[node_id] else own
            if node_id not in memory:
                memory[node_id] = _with_silence(heard, node_id, outlets_of)
            return memory[node_id]

        for node_id in nx.lexicographical_topological_sort(heard.G):
            outlets_of(node_id)
        yield stem, summed([outlets_of(node_id)[0] for node_id in nodes_of(heard.G, "out")])


def _with_silence(heard: Heard, node_id: int, outlets_of: Callable[[int], Outlets]) -> Outlets:
    """What a node gives where some of what it hears is silent; silence takes no memory."""
    if heard.G.nodes[node_id]["node_type"] == "in":
        return tuple(_silence(signal) for signal in heard.outputs[node_id])
    inputs = inlets_of(heard.G, node_id, outlets_of)
    if not any(signal.any() for signal in inputs.values()):
        size = min(heard.num_samples, BRIEF * heard.sample_rate)
        brief = played(heard, node_id, {name: signal[:, :size].contiguous() for name, signal in inputs.items()})
        if not any(signal.any() for signal in brief):
            return tuple(_silence(signal) for signal in heard.outputs[node_id])
    inputs = {name: signal.contiguous() for name, signal in inputs.items()}
    return tuple(signal.cpu() for signal in played(heard, node_id, inputs))


def _silence(like: Tensor) -> Tensor:
    return like.new_zeros(()).expand(like.shape)


def additivity(mix: Tensor, alone: list[Tensor]) -> float | None:
    """Level in dB of what the sum of the stems alone has too much or too little, relative to the mix."""
    if not alone or not mix.any():
        return None
    rest = (summed(alone) - mix).square().mean(dtype=torch.float64)
    return max(-200.0, 10 * (rest / mix.square().mean(dtype=torch.float64)).clamp(min=1e-20).log10().item())


# Into the page


def packed(sounds: Sounds, sample_rate: int, most: int) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """Encode all sounds as well as so many bytes hold.

    Returns:
        Their entries in the model of a page, and their files.

    Raises:
        AudioError: There is no room for them.
    """
    length = max(sound.signal.shape[-1] for sound in sounds.by_key.values())
    cuts: dict[Any, tuple[int, int]] = {}
    done: dict[Any, Encoded] = {}
    stereo = {key: _is_stereo(sound) for key, sound in sounds.by_key.items()}
    for plan in PLANS:
        if MARGIN * _estimate(sounds, plan, sample_rate, stereo) > most and plan is not PLANS[-1]:
            continue
        cuts = _cuts(sounds, plan, length, sample_rate)
        _encode_all(sounds, plan, cuts, sample_rate, done)
        files = {key: done[_job(sounds, key, plan, cuts)] for key in sounds.by_key}
        if sum(len(file.content) for file in files.values()) <= most:
            break
    else:
        raise AudioError(f"Not even short excerpts of {count(len(files), 'sound')} fit into {most} bytes.")
    pairs = pairs_of(len(files))
    entries = {
        key: {
            **entry(sounds.by_key[key], sample_rate, *cuts[key], pairs, file.lufs),
            "codec": file.codec,
            "mime": MIME[file.codec],
            "gain": file.gain,
        }
        for key, file in files.items()
    }
    return entries, {key: file.content for key, file in files.items()}


def pairs_of(number: int) -> int:
    """How many peaks each of so many sounds has."""
    return min(PAIRS, ALL_PAIRS // max(1, number))


def entry(
    sound: Sound,
    sample_rate: int,
    start: int = 0,
    stop: int | None = None,
    pairs: int = PAIRS,
    lufs: float | None = None,
) -> dict[str, Any]:
    """What a page tells of a sound, or of a part of it, apart from how it is encoded."""
    signal = sound.part(start, sound.signal.shape[-1] if stop is None else stop)
    level = heard_loudness(signal, sample_rate) if lufs is None else lufs
    peak, ends = peaks(signal, pairs)
    return {
        "label": sound.label,
        "start": start / sample_rate,
        "seconds": signal.shape[-1] / sample_rate,
        "lufs": round(level, 2) if level > -1000 else None,
        "src": None,
        "peak": peak,
        "peaks": ends,
    }


def peaks(signal: Tensor, pairs: int = PAIRS) -> tuple[float, list[list[int]]]:
    """The loudest sample, and the lowest and highest sample of all channels in each part, of which 127 is that one."""
    peak = signal.abs().max().item() if signal.numel() else 0.0
    size = max(1, -(-signal.shape[-1] // pairs))
    padded = torch.nn.functional.pad(signal, (0, -signal.shape[-1] % size), mode="replicate") if size > 1 else signal
    parts = padded.unflatten(-1, (-1, size)) * (127 / peak if peak else 0.0)
    ends = torch.stack([parts.amin((0, 2)), parts.amax((0, 2))], -1).round()
    return peak, ends.int().tolist()


def _estimate(sounds: Sounds, plan: Plan, sample_rate: int, stereo: Mapping[str, bool]) -> float:
    """Bytes that a plan takes about."""
    total = 0.0
    for key, sound in sounds.by_key.items():
        seconds = min(sound.signal.shape[-1] / sample_rate, plan.seconds[sound.role])
        rate = plan.rates[sound.role]
        # Of 16 bits about half remain in FLAC.
        kbps = rate if rate is not None else 2 * sample_rate * 8 / 1000
        total += OVERHEAD + 125 * kbps * seconds * (1.0 if stereo[key] else 0.5)
    return total


def _is_stereo(sound: Sound) -> bool:
    signal = sound.part(0, sound.signal.shape[-1]) if sound.minus is not None else sound.signal
    return signal.shape[0] > 1 and not torch.equal(signal[0], signal[1])


def _cuts(sounds: Sounds, plan: Plan, length: int, sample_rate: int) -> dict[str, tuple[int, int]]:
    """Which samples of each sound a page has: the same ones for all of a place."""
    found = {}
    known: dict[Any, tuple[int, int]] = {}
    for key, sound in sounds.by_key.items():
        wanted = plan.seconds[sound.role]
        if wanted * sample_rate >= length:
            found[key] = 0, sound.signal.shape[-1]
            continue
        place = sound.role, sound.place
        if place not in known:
            alike = [s for s in sounds.by_key.values() if (s.role, s.place) == place]
            known[place] = best_part(alike, int(wanted * sample_rate), sample_rate)
        found[key] = known[place]
    return found


def best_part(sounds: list[Sound], size: int, sample_rate: int) -> tuple[int, int]:
    """Where some sounds have most of their energies, of which each counts alike."""
    hop = max(1, sample_rate // HOPS_PER_SECOND)
    length = sounds[0].signal.shape[-1]
    scores = torch.zeros(-(-length // hop), dtype=torch.float64)
    for sound in sounds:
        own = torch.zeros_like(scores)
        for number, start in enumerate(range(0, length, 64 * hop)):
            piece = sound.part(start, min(start + 64 * hop, length))
            energies = torch.nn.functional.pad(piece, (0, -piece.shape[-1] % hop)).square().sum(0)
            sums = energies.reshape(-1, hop).sum(-1)
            own[64 * number : 64 * number + len(sums)] = sums
        scores += own / own.sum().clamp(min=1e-30)
    ahead = torch.cat([torch.zeros(1, dtype=torch.float64), scores.cumsum(0)])
    width = max(1, size // hop)
    first = int((ahead[width:] - ahead[:-width]).argmax()) if len(ahead) > width else 0
    start = min(first * hop, length - size)
    return start, start + size


def _job(sounds: Sounds, key: str, plan: Plan, cuts: Mapping[str, tuple[int, int]]) -> Any:
    return key, plan.rates[sounds.by_key[key].role], cuts[key]


def _encode_all(sounds: Sounds, plan: Plan, cuts: Mapping[str, tuple[int, int]], rate: int, done: dict) -> None:
    jobs = [job for key in sounds.by_key if (job := _job(sounds, key, plan, cuts)) not in done]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for job, file in zip(jobs, pool.map(partial(_encode, sounds, rate), jobs), strict=True):
            done[job] = file


def _encode(sounds: Sounds, sample_rate: int, job: Any) -> Encoded:
    key, kbps, (start, stop) = job
    return encode(sounds.by_key[key].part(start, stop), sample_rate, kbps)
