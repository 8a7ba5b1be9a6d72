"""The mixer that the XML of a DAWproject describes."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from xml.parsers import expat

from ...data import GraphError
from ...data.formats.strict_xml import scan_xml
from ...errors import ExchangeError
from ...text import printable
from .model import (
    BUILT_IN,
    EFFECT,
    MASTER,
    REGULAR,
    SUBMIX,
    Band,
    Channel,
    Clip,
    Device,
    Project,
    Send,
    gains_of,
)
from .xml_writer import BPM, EXTRAS, NODE, SETTINGS

BANDS = ("bell", "lowShelf", "highShelf", "highPass", "lowPass", "bandPass", "notch")
MOST_RATIO = 1000.0
"""What stands for an infinite ratio."""
STRETCHED = 1e-3
"""From which relative difference on the speed of a clip is another one."""
MOST_ROUNDS = 10_000  # of a loop


def project_of(content: bytes) -> Project:
    """Read a project.

    Args:
        content: That of ``project.xml``.

    Raises:
        ExchangeError: It is no XML, or that of something else; a reference leads nowhere, or a number is none.
    """
    try:
        scan_xml(content)
        root = ET.fromstring(content)
    except (GraphError, expat.ExpatError, ET.ParseError, LookupError, ValueError) as error:
        raise ExchangeError(f"project.xml cannot be read: {error}.") from None
    if root.tag != "Project":
        raise ExchangeError(
            f"project.xml holds <{printable(root.tag)[:40]}> instead of <Project>: it is no DAWproject."
        )
    return _Reader(root).project()


def title_of(content: bytes) -> str:
    """The title in a ``metadata.xml``, empty where it cannot be read: nothing depends on it."""
    try:
        scan_xml(content)
        return printable(ET.fromstring(content).findtext("Title", "").strip())
    except (GraphError, expat.ExpatError, ET.ParseError, LookupError, ValueError):
        return ""


class _Reader:
    """What is known of a project while it is read."""

    def __init__(self, root: ET.Element) -> None:
        self.root = root
        self.left_out: list[str] = []
        self.by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
        self.channels: dict[ET.Element, Channel] = {}
        self.by_track: dict[str, Channel] = {}
        tempo = root.find("Transport/Tempo")
        self.bpm = BPM if tempo is None else _number(tempo, "the tempo")
        if not 1 <= self.bpm <= 10_000:
            raise ExchangeError(f"project.xml has the tempo {self.bpm:g} BPM, which should be from 1 to 10000.")

    def project(self) -> Project:
        structure = self.root.find("Structure")
        for element in structure if structure is not None else ():
            self._track(element)
        for element, channel in self.channels.items():
            self._routing(element, channel)
        master = next((c for c in self.channels.values() if c.role == MASTER and c.to is None), None)
        for channel in self.channels.values():
            if channel.to is None and channel is not master:
                channel.to = master
        for lanes in self.root.findall("Arrangement/Lanes"):
            self._lanes(lanes, lanes.get("timeUnit", "beats"), None)
        for name in ("TempoAutomation", "TimeSignatureAutomation"):
            if len(self.root.findall(f"Arrangement/{name}/*")) > 2:  # the target, and a point at the beginning
                self.left_out.append(f"{name}: the tempo at the beginning is taken for all")
        if self.root.find("Scenes/Scene") is not None:
            self.left_out.append("scenes of the clip launcher")
        return Project(list(self.channels.values()), left_out=self.left_out)

    def _track(self, element: ET.Element) -> None:
        found = element if element.tag == "Channel" else element.find("Channel")
        if found is not None:
            name = printable(element.get("name") or found.get("name") or f"track {len(self.channels) + 1}")
            if found.get("role") == "vca":
                self.left_out.append(f"the VCA '{name}'")
            else:
                self.channels[found] = channel = self._channel(found, name)
                for key in {element.get("id"), found.get("id")} - {None}:
                    self.by_track[str(key)] = channel
        for member in element.findall("Track"):
            self._track(member)

    def _channel(self, element: ET.Element, name: str) -> Channel:
        role = element.get("role", REGULAR)
        role = role if role in (REGULAR, SUBMIX, EFFECT, MASTER) else REGULAR
        mute = element.find("Mute")
        if element.get("solo") == "true":
            self.left_out.append(f"the solo of '{name}'")
        devices = [self._device(each, name) for each in element.findall("Devices/*")]
        gains = gains_of(_volume(element, name), _pan(element, name))
        muted = mute is not None and mute.get("value") == "true"
        return Channel(name, role, devices=devices, gains=gains, is_node=_is_node(element), muted=muted)

    def _routing(self, element: ET.Element, channel: Channel) -> None:
        if destination := element.get("destination"):
            channel.to = self._destination(destination, channel)
        for send in element.findall("Sends/Send"):
            enabled, to = send.find("Enable"), send.get("destination")
            if to is None or (enabled is not None and enabled.get("value") == "false"):
                continue
            gains = gains_of(_volume(send, f"a send of {channel.name}"), _pan(send, f"a send of {channel.name}"))
            if any(gains):
                pre = send.get("type") == "pre"
                channel.sends.append(Send(self._destination(to, channel), gains, pre, _is_node(send)))

    def _destination(self, key: str, channel: Channel) -> Channel:
        if key not in self.by_track:
            raise ExchangeError(
                f"'{channel.name}' goes to '{printable(key)}', but project.xml has no channel of this id: route it to"
                " another one."
            )
        return self.by_track[key]

    # Devices

    def _device(self, element: ET.Element, channel: str) -> Device:
        name = printable(element.get("deviceName") or element.get("name") or element.tag)
        enabled = element.find("Enabled")
        device = Device(element.tag, name, enabled=enabled is None or enabled.get("value") != "false")
        if element.tag not in BUILT_IN:
            return device
        place = f"the {element.tag} '{name}' of '{channel}'"
        for tag, unit, key in SETTINGS[element.tag]:
            if (setting := element.find(tag)) is not None:
                device.values[key] = self._setting(setting, unit, key, f"{tag} of {place}")
        for extra, unit, key in EXTRAS.get(element.tag, ()):
            for setting in element.findall("Parameters/RealParameter"):
                if (setting.get("name") or "").lower() == extra.lower() and setting.get("unit") == unit:
                    device.values[key] = _number(setting, f"{extra} of {place}")
        device.bands = [band for each in element.findall("Band") if (band := self._band(each, device, place))]
        makeup = element.find("AutoMakeup")
        if makeup is not None and makeup.get("value") == "true":
            device.problems.append("its automatic makeup gain")
        return device

    def _setting(self, element: ET.Element, unit: str, key: str, place: str) -> float:
        value, given = _number(element, place), element.get("unit", unit)
        if unit == "seconds":
            return 1000 * (value * 60 / self.bpm if given == "beats" else value)
        if key == "ratio":
            return _ratio(value, given)
        if unit == "decibel" and given != "decibel":
            return _to_db(value / 100 if given == "percent" else value)
        return value

    def _band(self, element: ET.Element, device: Device, place: str) -> Band | None:
        kind, freq = element.get("type"), element.find("Freq")
        if kind not in BANDS or freq is None:
            device.problems.append(f"a band of the kind '{printable(kind or 'none')[:20]}'")
            return None
        hertz = _number(freq, f"Freq of {place}")
        if freq.get("unit") == "semitones":
            hertz = 440 * 2 ** ((min(hertz, 1000) - 69) / 12)
        gain, q, enabled = element.find("Gain"), element.find("Q"), element.find("Enabled")
        order = element.get("order", "")
        return Band(
            kind,
            hertz,
            0.0 if gain is None else self._setting(gain, "decibel", "gain_db", f"Gain of {place}"),
            Band.q if q is None else _number(q, f"Q of {place}"),
            int(order) if order.isdecimal() and 0 < int(order) <= 16 else 2,
            enabled is None or enabled.get("value") != "false",
        )

    # Clips

    def _lanes(self, element: ET.Element, unit: str, channel: Channel | None) -> None:
        """Everything along the time of a track, or of all."""
        track = element.get("track")
        channel = self.by_track.get(track) if track else channel
        unit = element.get("timeUnit", unit)
        for child in element:
            if child.tag == "Lanes":
                self._lanes(child, unit, channel)
            elif child.tag in ("Clips", "ClipSlot"):
                own = self.by_track.get(child.get("track", ""), channel)
                if own is not None and child.tag == "Clips":
                    own.clips += self._clips(child, child.get("timeUnit", unit), own)
            elif child.tag in ("Points", "Notes", "Video") and channel is not None:
                what = {"Points": "automation", "Notes": "notes", "Video": "video"}[child.tag]
                self.left_out.append(f"{what} of '{channel.name}'")

    def _clips(self, element: ET.Element, unit: str, channel: Channel) -> Iterator[Clip]:
        """The clips of a list, with times in seconds from its beginning."""
        for clip in element.findall("Clip"):
            if clip.get("enable") == "false":
                continue
            start, length = (self._seconds(clip, name, unit, channel) for name in ("time", "duration"))
            inside = clip.get("contentTimeUnit", unit)
            content = list(self._content(clip, inside, channel))
            if not content:
                continue
            fades = [self._seconds(clip, f"fade{side}Time", clip.get("fadeTimeUnit", unit), channel) for side in
                     ("In", "Out")]  # fmt: skip
            for begin, since, until in self._rounds(clip, length, inside, channel):
                for one in content:
                    if (part := _window(one, since, until)) is not None:
                        yield _faded(replace(part, start=(start or 0.0) + begin + part.start - since), start or 0.0,
                                     length, fades)  # fmt: skip

    def _rounds(
        self, clip: ET.Element, length: float | None, unit: str, channel: Channel
    ) -> Iterator[tuple[float, float, float]]:
        """When each round of a loop begins, and from where to where it plays its content; one without a loop."""
        at, first, last = (self._seconds(clip, name, unit, channel) for name in ("playStart", "loopStart", "loopEnd"))
        at, first = at or 0.0, first or 0.0
        length = math.inf if length is None else length
        if last is None or last <= first or math.isinf(length):
            yield 0.0, at, at + length
            return
        done = 0.0
        for _ in range(MOST_ROUNDS):
            until = min(last, at + length - done) if at < last else at + length - done
            yield done, at, until
            done, at = done + until - at, first
            if done >= length:
                return
        raise ExchangeError(f"A clip of '{channel.name}' loops more than {MOST_ROUNDS} times: bounce it.")

    def _content(self, element: ET.Element, unit: str, channel: Channel) -> Iterator[Clip]:
        """What a clip plays, with times in seconds of its content."""
        source = self.by_id.get(element.get("reference", ""), None)
        for child in [*element, *([source] if source is not None else [])]:
            inside = child.get("timeUnit", unit)
            if child.tag == "Clips":
                yield from self._clips(child, inside, channel)
            elif child.tag == "Lanes":
                yield from self._content(child, inside, channel)
            elif child.tag == "Warps":
                yield from self._warped(child, inside, channel)
            elif child.tag == "Audio":
                yield from self._audio(child, channel)
            elif child.tag in ("Notes", "Points", "Video"):
                what = {"Points": "automation", "Notes": "notes", "Video": "video"}[child.tag]
                self.left_out.append(f"{what} of a clip of '{channel.name}'")

    def _audio(self, element: ET.Element, channel: Channel) -> Iterator[Clip]:
        file = element.find("File")
        path = None if file is None else file.get("path")
        if file is None or not path:
            self.left_out.append(f"a clip of '{channel.name}' without a file")
        elif file.get("external") == "true":
            self.left_out.append(f"{printable(path)}, a file outside the archive that '{channel.name}' plays")
        else:
            yield Clip(path)

    def _warped(self, element: ET.Element, unit: str, channel: Channel) -> Iterator[Clip]:
        """Content whose time runs otherwise; at its own speed where that is another."""
        inside = element.get("contentTimeUnit", unit)
        points = []
        for warp in element.findall("Warp"):
            here = self._seconds(warp, "time", unit, channel)
            there = self._seconds(warp, "contentTime", inside, channel)
            points.append((here or 0.0, there or 0.0))
        points.sort()
        begin, offset = points[0] if points else (0.0, 0.0)
        if any(abs((there - offset) - (here - begin)) > STRETCHED * (here - begin) for here, there in points):
            self.left_out.append(f"time stretching of a clip of '{channel.name}', which plays at its own speed")
        for one in self._content(element, inside, channel):
            if (part := _window(one, offset, math.inf)) is not None:
                yield replace(part, start=part.start - offset + begin)

    def _seconds(self, element: ET.Element, name: str, unit: str, channel: Channel) -> float | None:
        text = element.get(name)
        if text is None:
            return None
        value = _float(text, f"{name} of a clip of '{channel.name}'")
        return value * 60 / self.bpm if unit == "beats" else value


def _window(clip: Clip, since: float, until: float) -> Clip | None:
    """The part of a clip between two times."""
    end = math.inf if clip.seconds is None else clip.start + clip.seconds
    start, end = max(clip.start, since), min(end, until)
    if start >= end:
        return None
    seconds = None if math.isinf(end) else end - start
    return replace(clip, start=start, offset=clip.offset + start - clip.start, seconds=seconds)


def _faded(clip: Clip, start: float, length: float | None, fades: list[float | None]) -> Clip:
    """A clip with the fades of the one that holds it, where it has these ends."""
    fade_in = fades[0] if fades[0] and abs(clip.start - start) < 1e-6 else clip.fade_in
    ends = clip.seconds is not None and length is not None and abs(clip.start + clip.seconds - start - length) < 1e-6
    return replace(clip, fade_in=fade_in, fade_out=fades[1] if fades[1] and ends else clip.fade_out)


def _volume(element: ET.Element, place: str) -> float:
    volume = element.find("Volume")
    if volume is None:
        return 1.0
    unit = volume.get("unit", "linear")
    value = _number(volume, f"the volume of '{place}'", infinite=unit == "decibel")
    if unit == "decibel":
        return min(10 ** (min(value, 200) / 20), 1e6)
    return min(max(value / 100 if unit == "percent" else value, 0.0), 1e6)


def _is_node(element: ET.Element) -> bool:
    """Whether a level says that a node stands for it."""
    volume = element.find("Volume")
    return volume is not None and volume.get("comment") == NODE


def _pan(element: ET.Element, place: str) -> float:
    pan = element.find("Pan")
    if pan is None:
        return 0.5
    unit, value = pan.get("unit", "normalized"), _number(pan, f"the pan of '{place}'")
    value = {"linear": (value + 1) / 2, "percent": value / 100}.get(unit, value)
    return min(max(value, 0.0), 1.0)


def _ratio(value: float, unit: str) -> float:
    """A ratio; as a share, 0 is 1:1, and 1 infinite."""
    if unit in ("percent", "normalized"):
        share = value / 100 if unit == "percent" else value
        value = 1 / max(1 - share, 1 / MOST_RATIO)
    return min(max(value, 1.0), MOST_RATIO)


def _to_db(amplitude: float) -> float:
    return 20 * math.log10(max(amplitude, 1e-10))


def _number(element: ET.Element, place: str, infinite: bool = False) -> float:
    return _float(element.get("value", ""), place, infinite)


def _float(text: str, place: str, infinite: bool = False) -> float:
    try:
        value = float(text)
        if math.isfinite(value) or (infinite and value == -math.inf):
            return value
    except ValueError:
        pass
    raise ExchangeError(f"project.xml: {place} is {printable(text)[:40]!r}, which is no number.")
