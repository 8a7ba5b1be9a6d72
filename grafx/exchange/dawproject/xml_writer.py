"""A mixer as the XML of a DAWproject."""

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from .model import COMPRESSOR, EQUALIZER, GATE, LIMITER, SUBMIX, Channel, Device, Project, fader_of

BPM = 120.0
"""The tempo of what has none: two beats a second."""

# Elements of devices in the order of the schema: name, unit, and the value that they hold.
SETTINGS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    EQUALIZER: (("InputGain", "decibel", "input_db"), ("OutputGain", "decibel", "output_db")),
    COMPRESSOR: (
        ("Attack", "seconds", "attack_ms"),
        ("InputGain", "decibel", "input_db"),
        ("OutputGain", "decibel", "output_db"),
        ("Ratio", "linear", "ratio"),
        ("Release", "seconds", "release_ms"),
        ("Threshold", "decibel", "threshold_db"),
    ),
    GATE: (
        ("Attack", "seconds", "attack_ms"),
        ("Range", "decibel", "range_db"),
        ("Ratio", "linear", "ratio"),
        ("Release", "seconds", "release_ms"),
        ("Threshold", "decibel", "threshold_db"),
    ),
    LIMITER: (
        ("Attack", "seconds", "attack_ms"),
        ("InputGain", "decibel", "input_db"),
        ("OutputGain", "decibel", "output_db"),
        ("Release", "seconds", "release_ms"),
        ("Threshold", "decibel", "threshold_db"),
    ),
}
# What the schema has no element for, as parameters of a device, which those who do not know them pass over.
EXTRAS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    COMPRESSOR: (("Knee", "decibel", "knee_db"),),
    GATE: (("Knee", "decibel", "knee_db"),),
    LIMITER: (("Knee", "decibel", "knee_db"), ("Ratio", "linear", "ratio")),
}
NODE = "a gain of the graph"
"""Comment on levels that a node stands for, which may be 1 as those of all others."""
GAINED = ("bell", "lowShelf", "highShelf")
"""Bands that have a gain."""


def project_xml(project: Project, sample_rate: int, seconds: float, version: str) -> bytes:
    """Write a project whose channels play whole files of one length.

    Args:
        project: Whose clips name files of the archive.
        sample_rate: In Hz.
        seconds: Length of the files.
        version: That of this package.
    """
    root = ET.Element("Project", version="1.0")
    ET.SubElement(root, "Application", name="grafx", version=version)
    ids = _Ids(project)
    transport = ET.SubElement(root, "Transport")
    _real(transport, "Tempo", "bpm", BPM, low=20, high=666)
    ET.SubElement(transport, "TimeSignature", denominator="4", numerator="4")
    structure = ET.SubElement(root, "Structure")
    for channel in project.channels:
        if not _in_group(channel):
            _track(structure, channel, project, ids)
    arrangement = ET.SubElement(root, "Arrangement", id=ids.next())
    lanes = ET.SubElement(arrangement, "Lanes", timeUnit="beats", id=ids.next())
    for channel in project.channels:
        if channel.clips:
            _lane(lanes, channel, ids, sample_rate, seconds)
    return _bytes(root)


def metadata_xml(title: str) -> bytes:
    """Write what is known of the song."""
    root = ET.Element("MetaData")
    if title:
        ET.SubElement(root, "Title").text = title
    return _bytes(root)


class _Ids:
    """Ids of tracks and channels, and further ones."""

    def __init__(self, project: Project) -> None:
        numbers = itertools.count()
        self.next = lambda: f"id{next(numbers)}"
        self.tracks = {channel: self.next() for channel in project.channels}
        self.channels = {channel: self.next() for channel in project.channels}


def _in_group(channel: Channel) -> bool:
    return channel.to is not None and channel.to.role == SUBMIX


def _track(parent: ET.Element, channel: Channel, project: Project, ids: _Ids) -> None:
    members = [other for other in project.channels if other.to is channel and _in_group(other)]
    content = "tracks" if members else "audio"
    track = ET.SubElement(
        parent, "Track", contentType=content, loaded="true", id=ids.tracks[channel], name=channel.name
    )
    _channel(track, channel, ids)
    for member in members:
        _track(track, member, project, ids)


def _channel(track: ET.Element, channel: Channel, ids: _Ids) -> None:
    routing = {} if channel.to is None else {"destination": ids.channels[channel.to]}
    element = ET.SubElement(
        track, "Channel", routing, audioChannels="2", role=channel.role, solo="false", id=ids.channels[channel]
    )
    if channel.devices:
        devices = ET.SubElement(element, "Devices")
        for device in channel.devices:
            _device(devices, device, ids)
    ET.SubElement(element, "Mute", value=_flag(channel.muted), name="Mute")
    volume, pan = fader_of(channel.gains)
    _real(element, "Pan", "normalized", pan, "Pan", 0, 1)
    if channel.sends:
        sends = ET.SubElement(element, "Sends")
        for send in channel.sends:
            kind = "pre" if send.pre else "post"
            one = ET.SubElement(sends, "Send", destination=ids.channels[send.to], type=kind, name=send.to.name)
            loud, place = fader_of(send.gains)
            ET.SubElement(one, "Enable", value="true")
            _real(one, "Pan", "normalized", place, None, 0, 1)
            level = _real(one, "Volume", "linear", loud, None, 0, max(1.0, loud))
            level.attrib |= {"comment": NODE} if send.is_node else {}
    fader = _real(element, "Volume", "linear", volume, "Volume", 0, max(2.0, volume))
    fader.attrib |= {"comment": NODE} if channel.is_node else {}


def _device(parent: ET.Element, device: Device, ids: _Ids) -> None:
    element = ET.SubElement(
        *(parent, device.kind), deviceName=device.name, deviceRole="audioFX", loaded="true", id=ids.next()
    )
    extras = [(*names, device.values[key]) for *names, key in EXTRAS.get(device.kind, ()) if key in device.values]
    if extras:
        parameters = ET.SubElement(element, "Parameters")
        for name, unit, value in extras:
            _real(parameters, "RealParameter", unit, value, name)
    ET.SubElement(element, "Enabled", value=_flag(device.enabled))
    for band in device.bands:
        one = ET.SubElement(element, "Band", type=band.kind, order=str(band.order))
        _real(one, "Freq", "hertz", band.hertz)
        if band.kind in GAINED:
            _real(one, "Gain", "decibel", band.db)
        _real(one, "Q", "linear", band.q)
        ET.SubElement(one, "Enabled", value=_flag(band.enabled))
    for name, unit, key in SETTINGS[device.kind]:
        if key in device.values:
            value = device.values[key]
            _real(element, name, unit, value / 1000 if unit == "seconds" else value)


def _lane(parent: ET.Element, channel: Channel, ids: _Ids, sample_rate: int, seconds: float) -> None:
    lanes = ET.SubElement(parent, "Lanes", track=ids.tracks[channel], id=ids.next())
    clips = ET.SubElement(lanes, "Clips", id=ids.next())
    for clip in channel.clips:
        times = {"time": "0.0", "duration": repr(seconds * BPM / 60), "contentTimeUnit": "seconds", "playStart": "0.0"}
        one = ET.SubElement(clips, "Clip", times, name=channel.name)
        rate = str(sample_rate)
        audio = ET.SubElement(one, "Audio", channels="2", duration=repr(seconds), sampleRate=rate, id=ids.next())
        ET.SubElement(audio, "File", path=clip.path)


def _real(
    parent: ET.Element,
    tag: str,
    unit: str,
    value: float,
    name: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> ET.Element:
    limits = {} if low is None or high is None else {"max": repr(float(high)), "min": repr(float(low))}
    names = {} if name is None else {"name": name}
    return ET.SubElement(parent, tag, limits, unit=unit, value=repr(float(value)), **names)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    return ET.tostring(root, "UTF-8", xml_declaration=True) + b"\n"
