"""A graph as the mixer of a DAWproject: what is carried over as it is, fitted, or recorded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ...errors import ExchangeError
from ...processors import Send as SendOfDesk
from ...processors import StereoGain
from ...processors.dynamics.base import KeyedGain
from ...text import file_name
from ..carried import Carried, How
from ..distance import level_of_difference
from ..parts import Part, heard, play
from .devices import device_of, inverse, played, short_name
from .fit import WORST_DB, WORST_FIRST_DB, fitted_compressor, fitted_equalizer, impulse_response, probe
from .model import (
    EFFECT,
    EQUALIZER,
    GATE,
    MASTER,
    SUBMIX,
    UNITY,
    Channel,
    Device,
    Gains,
    Project,
    Send,
    times,
)
from .strips import Route, Strip, strips_of

EXACT_DB, FITTED_DB = -90.0, -12.0
"""Distances up to which a device is what it stands for, and up to which it may stand for it."""
SILENT = 0.03
"""Gain below which a part of what a processor gives does not follow its input."""
LOUDEST = 2.0
"""Of faders, as DAWs have them."""


@dataclass
class Translation:
    """What stands for a node: gains, a device, or neither, and then it is recorded.

    Attributes:
        gains: Those of a fader.
        device: A device.
        how: As in :class:`.Carried`.
        distance_db: Likewise.
        note: Likewise.
        echoes: Whether it is a reverb or a delay, beside which the dry sound is worth keeping.
    """

    gains: Gains | None = None
    device: Device | None = None
    how: How = "exact"
    distance_db: float | None = None
    note: str = ""
    echoes: bool = False


@dataclass
class StripChannels:
    """The channels of a strip.

    Attributes:
        strip: The strip.
        channels: In series; the last one gives its sound.
        recordings: Further channels that feed these.
        gains: By which its end is scaled.
        entry: Where what feeds the strip goes; ``None`` where a recording took its place.
        carried: What became of its nodes.
    """

    strip: Strip
    channels: list[Channel] = field(default_factory=list)
    recordings: list[Channel] = field(default_factory=list)
    gains: Gains = UNITY
    entry: Channel | None = None
    carried: list[Carried] = field(default_factory=list)

    @property
    def is_cable(self) -> bool:
        """Whether it is but gains between two others."""
        alone = self.strip.plays is None and len(self.strip.fed_by) == 1 and self.strip.nodes[-1].type != "out"
        return alone and self.entry is not None and len(self.channels) == 1 and not self.channels[0].devices


class Way(NamedTuple):
    """How the end of a strip leads to another.

    Attributes:
        to: The other.
        gains: Those on the way.
        is_send: Whether they are those of a send.
        is_node: Whether a node stands for them.
    """

    to: StripChannels
    gains: Gains
    is_send: bool
    is_node: bool

    def beside(self, other: "Way") -> "Way":
        """Both in one."""
        gains = self.gains[0] + other.gains[0], self.gains[1] + other.gains[1]
        return Way(self.to, gains, self.is_send and other.is_send, True)


@dataclass
class Mixed:
    """A mixer, and what became of a graph in it.

    Attributes:
        project: The mixer, whose channels have their audio.
        carried: What became of each node.
        responses: Name to impulse response of what is linear and recorded.
        mix: The sound of the graph, ``(2, L)``.
    """

    project: Project
    carried: list[Carried]
    responses: dict[str, Tensor]
    mix: Tensor


def mixer_of(parts: Sequence[Part], stems: Tensor, sample_rate: int) -> Mixed:
    """Make a mixer of a graph.

    Args:
        parts: The nodes, each behind those that it hears.
        stems: ``(K, 2, L)`` for its inputs.
        sample_rate: In Hz.
    """
    strips = strips_of(parts)
    responses: dict[str, Tensor] = {}
    blocks: dict[int, StripChannels] = {}
    mix = torch.zeros(0)
    for strip, sounds in _sounds(parts, strips, stems):
        blocks[id(strip)] = _Builder(strip, sounds, sample_rate, responses).block()
        if strip.nodes[-1].type == "out":
            mix = sounds[strip.nodes[-1].id][0]
    ordered = [blocks[id(strip)] for strip in strips]
    channels, dead = _connect(ordered)
    carried = [each for block in ordered for each in (_buried(block) if block in dead else block.carried)]
    carried += _unheard(parts, strips)
    return Mixed(Project(channels), sorted(carried, key=lambda each: each.node), responses, _stereo(mix))


def _sounds(
    parts: Sequence[Part], strips: Sequence[Strip], stems: Tensor
) -> Iterator[tuple[Strip, dict[int, list[Tensor]]]]:
    """Play the nodes one by one, yield each strip when it is complete, and forget what nobody needs any more."""
    inputs = sorted(part.id for part in parts if part.type == "in")
    waiting = {id(strip): {part.id for part in strip.nodes} for strip in strips}
    needed = {part.id: 0 for part in parts}
    for part in parts:
        for source in {source for inlet in part.inlets for source, _ in inlet}:
            needed[source] += 1
    holders = {part.id: [strip for strip in strips if part in strip.nodes] for part in parts}
    before = {id(strip): {source for p in strip.nodes for inlet in p.inlets for source, _ in inlet} for strip in strips}
    for strip in strips:
        for node in {*before[id(strip)], *waiting[id(strip)]}:
            needed[node] += 1
    sounds: dict[int, list[Tensor]] = {}
    for part in parts:
        if part.type == "in" or not part.inlets:
            own = stems[inputs.index(part.id)][None] if part.type == "in" else stems[:0]
            sounds |= play([part], own)
        else:
            sounds[part.id] = part.sound(*heard(part, sounds))
        if not all(sound.isfinite().all() for sound in sounds[part.id]):
            raise ExchangeError(f"{part.place} gives NaN or infinity: look at its settings, and at what it gets.")
        done = list({source for inlet in part.inlets for source, _ in inlet})
        for strip in holders[part.id]:
            waiting[id(strip)].discard(part.id)
            if not waiting[id(strip)]:
                yield strip, sounds
                done += {*before[id(strip)], *(p.id for p in strip.nodes)}
        for node in done:
            needed[node] -= 1
        for node in (part.id, *done):
            if not needed[node]:
                sounds.pop(node, None)


class _Builder:
    """Makes the channels of a strip."""

    def __init__(
        self, strip: Strip, sounds: dict[int, list[Tensor]], sample_rate: int, responses: dict[str, Tensor]
    ) -> None:
        self.strip, self.sounds, self.sample_rate, self.responses = strip, sounds, sample_rate, responses
        head = strip.nodes[0]
        last = strip.nodes[-1].type == "out"
        self.name = "Master" if last and strip.plays is None else head.name
        self.body = [p for p in strip.nodes if p.processor is not None and not (p is head and strip.plays)]
        self.channel = Channel(self.name, MASTER if last and strip.plays is None else SUBMIX)
        if strip.plays is not None:
            self.channel = Channel(self.name, audio=_stereo(sounds[head.id][strip.plays[1]]))
        self.result = StripChannels(strip, [self.channel], entry=None if strip.plays else self.channel)

    def block(self) -> StripChannels:
        head = self.strip.nodes[0]
        if self.strip.plays is not None and head.processor is not None:
            what = "generates it" if not head.inlets else "has several inlets or outlets"
            self._tell(head, Translation(how="rendered", note=f"it {what}"), f"audio of '{self.name}'")
        translations: list[Translation] = []
        for part in self.body:
            is_first = self.strip.plays is not None and not any(each.device for each in translations)
            translations.append(self._translation(part, is_first))
        start = 0
        while start < len(self.body):
            part, found = self.body[start], translations[start]
            if found.gains is not None:
                self.result.gains = times(self.result.gains, found.gains)
                self.channel.is_node |= isinstance(part.processor, StereoGain)
                became = "nothing, as it changes nothing" if found.gains == UNITY else f"fader of '{self.channel.name}'"
                self._tell(part, found, became)
                start += 1
            elif found.device is not None:
                self._append(part, found)
                start += 1
            else:
                stop = self._end_of_run(translations, start)
                self._record(self.body[start:stop], translations[start:stop])
                start = stop
        if self.strip.nodes[-1].type == "out" and self.channel.role != MASTER:
            if self.channel.audio is None:
                self.channel.role, self.channel.name = MASTER, "Master"
            else:
                self._go_on("Master", MASTER)
        return self.result

    # What stands for a node

    def _translation(self, part: Part, is_first: bool) -> Translation:
        """What stands for a node, the first one behind the audio of a track or another."""
        if isinstance(part.processor, SendOfDesk):
            return Translation(gains=UNITY, note="the signal passes, and its copy is a send")
        if part.wet == 0 and part.passes_dry:
            return Translation(gains=UNITY, note="it is bypassed")
        if len(part.inlets) > 1:
            return Translation(how="rendered", note="another signal drives it, for which the format has no place")
        signal, ours = _stereo(heard(part, self.sounds)[0]), _stereo(self.sounds[part.id][0])
        if (found := self._as_settings(part, signal, ours)) is not None:
            return found
        if isinstance(part.processor, KeyedGain):
            return Translation(how="rendered", note="its gain follows the level in another way")
        response = probe(part)
        if (gains := response.gains) is not None:
            away = level_of_difference(torch.tensor(gains)[:, None] * signal, ours)
            if away < EXACT_DB:
                return Translation(gains=gains, distance_db=away)
        magnitudes = response.magnitudes(self.sample_rate)
        device, error = None, 0.0
        if magnitudes is not None:
            device, error = fitted_equalizer(magnitudes, signal, self.sample_rate, short_name(part))
        if device is not None and error < (WORST_FIRST_DB if is_first else WORST_DB):
            away = level_of_difference(played(device, signal, self.sample_rate), ours)
            return Translation(None, device, "fitted", away, f"within {error:.2g} dB by magnitude, in another phase")
        found = Translation(how="rendered", echoes=response.echoes(self.sample_rate))
        return found if response.responses is None else self._response_kept(part, found)

    def _as_settings(self, part: Part, signal: Tensor, ours: Tensor) -> Translation | None:
        """A device of the kind of a node, at its settings or at others."""
        device = device_of(part)
        if device is not None and (part.wet == 1 or device.kind == GATE):
            found = self._measured(device, signal, ours)
            if found.how == "exact":
                return found
        else:
            found = None
        if (compressor := fitted_compressor(part, signal, short_name(part))) is not None:
            note = f"for its share of {part.wet:.2g}" if part.wet < 1 else ""
            other = self._measured(compressor, signal, ours, note)
            if found is None or (other.distance_db or 0) < (found.distance_db or 0):
                found = other
        return found

    def _measured(self, device: Device, signal: Tensor, ours: Tensor, note: str = "") -> Translation:
        """A device, where it is near enough to a node."""
        away = level_of_difference(played(device, signal, self.sample_rate), ours)
        if away > FITTED_DB:
            return Translation(how="rendered", distance_db=away, note=f"a {device.kind} would differ by {away:.1f} dB")
        return Translation(device=device, how="exact" if away < EXACT_DB else "fitted", distance_db=away, note=note)

    def _response_kept(self, part: Part, found: Translation) -> Translation:
        """Keep the impulse response of what is recorded and linear."""
        name = f"impulse responses/{file_name(f'{part.id} {short_name(part)}')}.wav"
        self.responses[name] = impulse_response(part, self.sample_rate)
        return replace(found, note=f"its impulse response is {name}")

    # Channels

    def _append(self, part: Part, found: Translation) -> None:
        """Put a device behind those of the channel, with the gains before it."""
        device = found.device
        assert device is not None
        left, right = self.result.gains
        if left != right and device.kind != EQUALIZER:  # which does not care in which order they come
            self._go_on(f"{self.name} {short_name(part)}")
        elif left == right:
            self._trim(device, left)
            self.result.gains, self.channel.is_node = UNITY, False
        if found.how == "fitted" and device.kind == EQUALIZER and self.channel.audio is not None:
            found = self._made_up_for(part, found, device)
        self.channel.devices.append(device)
        if device.kind == GATE:  # which has no output gain
            after = 10 ** (device.values.pop("output_db", 0.0) / 20)
            self.result.gains = times(self.result.gains, (after, after))
        self._tell(part, found, f"{device.kind} of '{self.channel.name}'")

    def _made_up_for(self, part: Part, found: Translation, device: Device) -> Translation:
        """Put into the audio of a track what its first equalizer lacks: what undoes the equalizer is one, too."""
        audio = self.channel.audio
        if audio is None or self.channel.devices:
            return found
        ours = _stereo(self.sounds[part.id][0])
        self.channel.audio, self.result.gains = played(inverse(device), ours, self.sample_rate), UNITY
        device.values.pop("input_db", None)
        away = level_of_difference(played(device, self.channel.audio, self.sample_rate), ours)
        self._bury(f"audio of '{self.channel.name}'")
        return replace(found, distance_db=away, note=f"{found.note}; the audio makes up for both")

    def _trim(self, device: Device | None, gain: float) -> None:
        """Put a gain before a device: into its input gain where it has one, or as an equalizer without bands."""
        db = _db(gain)
        if db == 0:
            return
        if device is not None and device.kind != GATE:
            device.values["input_db"] = device.values.get("input_db", 0.0) + db
        else:
            self.channel.devices.append(Device(EQUALIZER, "Trim", {"output_db": db}))

    def _go_on(self, name: str, role: str = SUBMIX) -> None:
        """Go on with another channel, behind the fader of this one."""
        before = self.channel
        if before.role == MASTER:
            role, before.role, name = MASTER, SUBMIX, before.name
            before.name = f"{self.name} sum"
        self.channel = Channel(name, role)
        before.gains, before.to = self.result.gains, self.channel
        self.result.gains = UNITY
        self.result.channels.append(self.channel)

    @staticmethod
    def _end_of_run(translations: Sequence[Translation], start: int) -> int:
        """Behind the last node of a recording: those between that have no device, and gains among them."""
        stop = start + 1
        for index in range(start + 1, len(translations)):
            if translations[index].device is not None:
                break
            if translations[index].gains is None:
                stop = index + 1
        return stop

    def _record(self, run: Sequence[Part], translations: Sequence[Translation]) -> None:
        """Play what has no counterpart as a recording: into the audio of the channel, or beside it."""
        signal = _stereo(heard(run[0], self.sounds)[0])
        ours = _stereo(self.sounds[run[-1].id][0])
        names = ", ".join(map(short_name, run))
        beside = self.channel.devices or any(found.echoes for found in translations)
        if self.channel.audio is not None and not beside:
            self.channel.audio, self.result.gains, self.channel.is_node = ours, UNITY, False
            where, away = f"audio of '{self.channel.name}'", level_of_difference(ours, ours)
            self._bury(where)
        else:
            follows = _following_gains(signal, ours)
            live = torch.tensor(follows)[:, None] * signal
            rest = ours - live
            recording = Channel(f"{self.name} {names}", audio=rest)
            where, away = f"recording '{recording.name}'", level_of_difference(live + rest, ours)
            if any(follows):
                self.result.gains = times(self.result.gains, follows)
                self._go_on_with(recording)
            else:
                self._start_over_with(recording)
                self._bury(where)
        for part, found in zip(run, translations, strict=True):
            self._tell(part, replace(found, how="rendered", distance_db=away), where)

    def _go_on_with(self, recording: Channel) -> None:
        """Add a recording to the sound of the channel, and go on with their sum."""
        before = self.channel
        self._go_on(self.name)
        if before.name == self.name:
            before.name = f"{self.name} dry"
        recording.to = self.channel
        self.result.recordings.append(recording)

    def _start_over_with(self, recording: Channel) -> None:
        """Go on with a recording alone, as nothing of what came before is left."""
        self.result.recordings, self.result.entry, self.result.gains = [], None, UNITY
        if self.channel.role == MASTER:
            recording.to = self.channel = Channel(self.channel.name, MASTER)
            self.result.recordings = [recording]
        else:
            self.channel = recording
        self.result.channels = [self.channel]

    def _bury(self, where: str) -> None:
        """Say that what was carried over so far is in a recording."""
        self.result.carried = [Carried(e.node, e.type, "rendered", where) for e in self.result.carried]

    def _tell(self, part: Part, found: Translation, became: str) -> None:
        self.result.carried.append(Carried(part.id, part.type, found.how, became, found.distance_db, found.note))


def _connect(blocks: Sequence[StripChannels]) -> tuple[list[Channel], list[StripChannels]]:
    """Lead each block to those that hear it; give those that nobody hears any more back."""
    by_head = {block.strip.nodes[0].id: block for block in blocks if block.strip.plays is None}
    dead: list[StripChannels] = []
    for block in reversed(blocks):
        if block.is_cable or block.strip.nodes[-1].type == "out":
            continue
        ways = _resolved(block.strip.feeds, by_head, dead)
        if ways:
            _route(block, ways)
        else:
            dead.append(block)
    for block in blocks:
        if block.strip.nodes[-1].type == "out":
            block.channels[-1].gains = block.gains
    alive = [b for b in blocks if b not in dead and not b.is_cable]
    channels = [c for block in alive for c in (*block.channels[:-1], *block.recordings, block.channels[-1])]
    for channel in channels:
        if max(channel.gains) > LOUDEST:
            over = max(channel.gains) / LOUDEST
            channel.devices.append(Device(EQUALIZER, "Trim", {"output_db": _db(over)}))
            less = 1 / over, 1 / over
            channel.gains = times(channel.gains, less)
            channel.sends = [replace(s, gains=times(s.gains, less)) if s.pre else s for s in channel.sends]
    for channel in channels:
        if channel.role == SUBMIX and channel.audio is None and not any(other.to is channel for other in channels):
            channel.role = EFFECT
    _name(channels)
    by_end = {block.strip.nodes[-1].id: block for block in blocks}
    for block in blocks:
        if block.is_cable:
            became = _cable_text(block, by_end, _resolved(block.strip.feeds, by_head, dead))
            block.carried = [replace(each, became=became) for each in block.carried]
    return channels, dead


def _resolved(
    feeds: Iterable[Route],
    by_head: dict[int, StripChannels],
    dead: Sequence[StripChannels],
    gains: Gains = UNITY,
    is_send: bool = False,
    is_node: bool = False,
) -> list[Way]:
    """The ways that cables lead, through blocks that are but gains; what leads to one block twice is added up."""
    found: dict[int, Way] = {}
    for cable in feeds:
        block = by_head[cable.dest]
        through, sends = times(gains, cable.gains), is_send or cable.is_send
        if block.is_cable:
            sends = sends or not all(part.passes_dry for part in block.strip.nodes)
            noded = is_node or block.channels[0].is_node
            ends = _resolved(block.strip.feeds, by_head, dead, times(through, block.gains), sends, noded)
        else:
            ends = [] if block in dead or block.entry is None else [Way(block, through, sends, is_node)]
        for way in ends:
            other = found.get(id(way.to))
            found[id(way.to)] = way if other is None else way.beside(other)
    return list(found.values())


def _route(block: StripChannels, ways: Sequence[Way]) -> None:
    """Lead the end of a block to one place by its fader, and to the others by sends."""
    direct = [way for way in ways if not way.is_send] or list(ways)
    main = next((way for way in direct if way.gains == UNITY and not way.is_node), direct[0])
    channel = block.channels[-1]
    channel.gains, channel.to = times(block.gains, main.gains), main.to.entry
    channel.is_node |= main.is_node
    pre = main.gains != UNITY or main.is_node
    for way in ways:
        if way.to is not main.to and way.to.entry is not None and any(way.gains):
            gains = times(block.gains, way.gains) if pre else way.gains
            channel.sends.append(Send(way.to.entry, gains, pre, way.is_node))


def _cable_text(block: StripChannels, by_end: Mapping[int, StripChannels], ways: Sequence[Way]) -> str:
    """What became of gains between two blocks: a fader, or sends."""
    source = by_end[block.strip.fed_by[0].source]
    while source.is_cable:
        source = by_end[source.strip.fed_by[0].source]
    channel = source.channels[-1]
    ends = [way.to.entry for way in ways if way.to.entry is not None]
    faders = [f"fader of '{channel.name}'" for end in ends if end is channel.to]
    sends = [f"send of '{channel.name}' to '{end.name}'" for end in ends if end is not channel.to]
    return ", ".join(faders + sends) or "recordings of what comes behind it"


def _buried(block: StripChannels) -> list[Carried]:
    """What became of the nodes of a block that recordings behind it stand for."""
    became = "recordings of what comes behind it"
    found = [Carried(each.node, each.type, "rendered", became) for each in block.carried]
    known = {each.node for each in found}
    rest = [part for part in block.strip.nodes if part.id not in known and part.type != "mix"]
    return found + [Carried(part.id, part.type, "rendered", became) for part in rest]


def _unheard(parts: Sequence[Part], strips: Sequence[Strip]) -> list[Carried]:
    """What became of nodes that are heard in no strip."""
    heard_ids = {part.id for strip in strips for part in strip.nodes}
    by_id = {part.id: part for part in parts}
    recorded: set[int] = set()
    waiting = [source for node in heard_ids for inlet in by_id[node].inlets for source, _ in inlet]
    while waiting:
        node = waiting.pop()
        if node not in recorded and node not in heard_ids:
            recorded.add(node)
            waiting += [source for inlet in by_id[node].inlets for source, _ in inlet]
    return [
        Carried(p.id, p.type, "rendered", "recordings of what it drives or feeds")
        if p.id in recorded
        else Carried(p.id, p.type, "left out", "nothing", None, "nothing of it is heard at the output")
        for p in parts
        if p.id not in heard_ids and p.type != "mix"
    ]


def _following_gains(signal: Tensor, ours: Tensor) -> Gains:
    """The gains of least squares with which each channel of a sound follows a signal; both 0 where hardly.

    Silence may be followed at any gain.
    """
    if not signal.any() and not ours.any():
        return UNITY
    power = signal.double().square().sum(-1)
    both = (signal.double() * ours.double()).sum(-1)
    left, right = (float(b / p) if p > 0 else 0.0 for b, p in zip(both, power, strict=True))
    gains = max(left, 0.0), max(right, 0.0)
    return (0.0, 0.0) if max(gains) < SILENT else gains


def _name(channels: Sequence[Channel]) -> None:
    """Give channels names of their own."""
    taken: set[str] = set()
    for channel in channels:
        name, number = channel.name, 2
        while channel.name.lower() in taken:
            channel.name, number = f"{name} {number}", number + 1
        taken.add(channel.name.lower())


def _stereo(signal: Tensor) -> Tensor:
    return signal.expand(2, -1) if signal.shape[0] == 1 else signal


def _db(gain: float) -> float:
    return 20 * float(torch.log10(torch.tensor(max(gain, 1e-6), dtype=torch.float64)))
