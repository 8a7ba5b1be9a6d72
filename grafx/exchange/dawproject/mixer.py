"""A graph as the mixer of a DAWproject: what is carried over as it is, fitted, or recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...errors import ExchangeError
from ...processors import StereoGain
from ..carried import Carried
from ..distance import level_of_difference
from ..parts import Part, heard, play
from .devices import decibels, inverse, played, short_name
from .model import EQUALIZER, GATE, MASTER, SUBMIX, UNITY, Channel, Device, Gains, Project, times
from .routing import StripChannels, buried, connected
from .strips import Strip, strips_of
from .translations import Translation, Translator, stereo

SILENT = 0.03
"""Gain below which a part of what a processor gives does not follow its input."""


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
    channels, dead = connected(ordered)
    carried = [each for block in ordered for each in (buried(block) if block in dead else block.carried)]
    carried += _unheard(parts, strips)
    return Mixed(Project(channels), sorted(carried, key=lambda each: each.node), responses, stereo(mix))


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
        self.strip, self.sounds, self.sample_rate = strip, sounds, sample_rate
        self.translator = Translator(sounds, sample_rate, responses)
        head = strip.nodes[0]
        last = strip.nodes[-1].type == "out"
        self.name = "Master" if last and strip.plays is None else head.name
        self.body = [p for p in strip.nodes if p.processor is not None and not (p is head and strip.plays)]
        self.channel = Channel(self.name, MASTER if last and strip.plays is None else SUBMIX)
        if strip.plays is not None:
            self.channel = Channel(self.name, audio=stereo(sounds[head.id][strip.plays[1]]))
        self.result = StripChannels(strip, [self.channel], entry=None if strip.plays else self.channel)

    def block(self) -> StripChannels:
        head = self.strip.nodes[0]
        if self.strip.plays is not None and head.processor is not None:
            what = "generates it" if not head.inlets else "has several inlets or outlets"
            self._tell(head, Translation(how="rendered", note=f"it {what}"), f"audio of '{self.name}'")
        translations: list[Translation] = []
        for part in self.body:
            is_first = self.strip.plays is not None and not any(each.device for each in translations)
            translations.append(self.translator.of(part, is_first))
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
        ours = stereo(self.sounds[part.id][0])
        self.channel.audio, self.result.gains = played(inverse(device), ours, self.sample_rate), UNITY
        device.values.pop("input_db", None)
        away = level_of_difference(played(device, self.channel.audio, self.sample_rate), ours)
        self._bury(f"audio of '{self.channel.name}'")
        return replace(found, distance_db=away, note=f"{found.note}; the audio makes up for both")

    def _trim(self, device: Device | None, gain: float) -> None:
        """Put a gain before a device: into its input gain where it has one, or as an equalizer without bands."""
        db = decibels(gain)
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
        signal = stereo(heard(run[0], self.sounds)[0])
        ours = stereo(self.sounds[run[-1].id][0])
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
