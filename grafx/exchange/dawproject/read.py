"""A DAWproject as a graph."""

import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from ...audio import conform, read_audio, write_audio
from ...data import GRAFX, NodeConfigs
from ...errors import AudioError, ExchangeError
from ...search.mixing.console import CHAIN
from ...text import Notice, file_name, free_name, printable
from .archive import METADATA, PROJECT, REMEDY, opened, take_out, text_of
from .devices import DeviceNode, gain_steps, gains_around, steps_of
from .model import BUILT_IN, MASTER, UNITY, Channel, Clip, Project, times
from .xml_reader import project_of, title_of

MOST_SECONDS = 4 * 3600
"""Longest arrangement."""
SEND = "send"
_WHOLE_SEND = DeviceNode(SEND, {"left_gain_db": 0.0, "right_gain_db": 0.0})


@dataclass(frozen=True)
class ProjectGraph:
    """A project as a graph with its sound.

    Attributes:
        G: The graph.
        stems: ``(K, 2, L)``, for its inputs in id order.
        names: Those of the inputs.
        sample_rate: In Hz: that of most of the audio.
        title: Of the song.
        left_out: What the file has besides, in words.
    """

    G: GRAFX
    stems: Tensor
    names: list[str]
    sample_rate: int
    title: str
    left_out: list[str]


def read_dawproject(source: str | Path, audio: Path | None = None) -> tuple[GRAFX, dict[str, Any]]:
    """Read a DAWproject as a graph of its tracks, routing and built-in devices; see :func:`.read_graph`.

    Tracks that play audio become inputs, and channels that hear several others sums. Gains in series become one.

    Args:
        source: The file.
        audio: Folder for the audio of the inputs, by their names.

    Returns:
        The graph, whose node types are those of a console, and metadata: the ``sample_rate``, and as ``left_out``
        what the project has besides.

    Raises:
        ExchangeError: It is no DAWproject, lacks a part, or its routing goes in a circle.
        AudioError: Audio in it cannot be read.
        OSError: It cannot be read.
    """
    mixer = read_mixer(Path(source))
    if audio is not None:
        for name, stem in zip(mixer.names, mixer.stems, strict=True):
            write_audio(audio / f"{name}.wav", stem, mixer.sample_rate)
    metadata = {
        "kind": "mixing graph",
        "sample_rate": mixer.sample_rate,
        "num_samples": mixer.stems.shape[-1],
        "title": mixer.title,
        "left_out": mixer.left_out,
    }
    return mixer.G, metadata


def read_mixer(path: Path) -> ProjectGraph:
    """Read a DAWproject with its sound."""
    with opened(path) as archive:
        project = project_of(text_of(archive, PROJECT) or b"")
        title = title_of(text_of(archive, METADATA) or b"")
        channels = _heard(project)
        files = _files(archive, channels, project.left_out.append)
    rate = Counter(rate for _, rate in files.values()).most_common(1)[0][0] if files else 44100
    signals = {name: conform(signal, own, rate, printable(name), _nobody) for name, (signal, own) in files.items()}
    plays = [channel for channel in channels if channel.clips]
    stems = _played(plays, signals, rate)
    G = _graph(project, channels, rate)
    return ProjectGraph(G, stems, [file_name(channel.name) for channel in plays], rate, title, project.left_out)


# Channels


def _heard(project: Project) -> list[Channel]:
    """The channels that something is heard of, each behind those that it hears, named apart."""
    routes = nx.DiGraph()
    routes.add_nodes_from(project.channels)
    for channel in project.channels:
        routes.add_edges_from((channel, other) for other in channel.feeds())
    try:
        number = {channel: place for place, channel in enumerate(project.channels)}
        order = list(nx.lexicographical_topological_sort(routes, key=number.__getitem__))
    except nx.NetworkXUnfeasible:
        names = " → ".join(f"'{source.name}'" for source, *_ in nx.find_cycle(routes))
        raise ExchangeError(
            f"The channels {names} feed each other in a circle, which a graph cannot: take one of these routes out."
        ) from None
    heard: list[Channel] = []
    for channel in order:
        if channel.muted:
            project.left_out.append(f"'{channel.name}', which is muted")
        elif channel.clips or any(channel in other.feeds() for other in heard):
            heard.append(channel)
        elif channel.role != MASTER:
            project.left_out.append(f"'{channel.name}', which plays no audio and gets none")
    ends = [channel for channel in heard if channel.to is None]
    reach = {channel for end in ends for channel in (end, *nx.ancestors(routes.subgraph(heard), end))}
    project.left_out += [f"'{channel.name}', which goes nowhere" for channel in heard if channel not in reach]
    heard = [channel for channel in heard if channel in reach]
    if not any(channel.clips for channel in heard):
        raise ExchangeError("No track of the project that is heard plays audio that is in its archive.")
    taken: set[str] = set()
    for channel in heard:
        channel.name = free_name(channel.name, lambda name: file_name(name).lower() in taken)
        taken.add(file_name(channel.name).lower())
    return heard


# Audio


def _files(archive: zipfile.ZipFile, channels: list[Channel], leave_out: Notice) -> dict[str, tuple[Tensor, int]]:
    """The audio that channels play, by its name in the archive."""
    names = dict.fromkeys(clip.path for channel in channels for clip in channel.clips)
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            suffix = PurePosixPath(name).suffix.lower()
            file = Path(folder, f"audio{suffix if suffix[1:].isalnum() else ''}")
            take_out(archive, name, file)
            try:
                files[name] = read_audio(file, lambda text, name=name: leave_out(f"{printable(name)}: {text}"))
            except AudioError:
                what = f"{printable(name)} in the archive cannot be read as audio"
                raise AudioError(f"{what}: {REMEDY} with WAV or FLAC files.") from None
            file.unlink()
    return files


def _played(channels: list[Channel], signals: Mapping[str, Tensor], rate: int) -> Tensor:
    """What channels play, ``(K, 2, L)``."""
    spans = [list(_spans(channel, signals, rate)) for channel in channels]
    length = max((start + signal.shape[-1] for span in spans for start, signal in span), default=1)
    stems = torch.zeros(len(channels), 2, length)
    for stem, span in zip(stems, spans, strict=True):
        for start, signal in span:
            stem[:, start : start + signal.shape[-1]] += signal
    return stems


def _spans(channel: Channel, signals: Mapping[str, Tensor], rate: int) -> Iterator[tuple[int, Tensor]]:
    """From which sample on a channel plays what."""
    for clip in channel.clips:
        whole = signals[clip.path]
        start, offset = round(clip.start * rate), round(clip.offset * rate)
        seconds = whole.shape[-1] / rate if clip.seconds is None else clip.seconds
        if clip.start + seconds > MOST_SECONDS or min(start, offset) < 0:
            raise ExchangeError(
                f"A clip of '{channel.name}' lasts from {clip.start:g} to {clip.start + seconds:g} s; what is read"
                f" begins at 0 and lasts up to {MOST_SECONDS} s."
            )
        signal = whole[:, offset : offset + round(seconds * rate)]
        if signal.shape[-1]:
            yield start, _faded(signal, clip, rate)


def _faded(signal: Tensor, clip: Clip, rate: int) -> Tensor:
    """A signal with linear fades."""
    fade_in, fade_out = (min(round(s * rate), signal.shape[-1]) for s in (clip.fade_in, clip.fade_out))
    if fade_in <= 0 and fade_out <= 0:
        return signal
    envelope = torch.ones(signal.shape[-1])
    if fade_in > 0:
        envelope[:fade_in] *= torch.arange(fade_in) / fade_in
    if fade_out > 0:
        envelope[-fade_out:] *= 1 - torch.arange(1, fade_out + 1) / fade_out
    return signal * envelope


# Graph


def _graph(project: Project, channels: list[Channel], rate: int) -> GRAFX:
    """Channels as nodes: their input or sum, their devices, their fader."""
    chains = {channel: _chain(project, channel, rate) for channel in channels}
    types = [step.type for before, after in chains.values() for step in (*before, *after)]
    G = GRAFX(config=NodeConfigs(list(dict.fromkeys([*CHAIN, SEND, *types]))))
    into: dict[Channel, list[int]] = {channel: [] for channel in channels}
    for channel in channels:
        if channel.clips:
            into[channel].append(G.add("in", name=file_name(channel.name)))
    ends: list[int] = []
    for channel in channels:
        devices, fader = chains[channel]
        before = _append(G, _sum(G, into[channel], channel), devices, channel)
        after = _append(G, before, fader, channel)
        if channel.to is None:
            _lead(G, after, ends, channel)
        elif channel.to in into:
            _lead(G, after, into[channel.to], channel)
        for send in channel.sends:
            if send.to in into:
                sent = _append(G, before if send.pre else after, gain_steps(send.gains, SEND, send.is_node), channel)
                _lead(G, sent, into[send.to], channel)
    out = G.add("out", name="mix")
    for end in ends:
        G.connect(end, out)
    return G


def _sum(G: GRAFX, sources: list[int], channel: Channel) -> int:
    """What a channel hears: its only source, or a sum."""
    if len(sources) == 1:
        return sources[0]
    total = G.add("mix", name=channel.name)
    for source in sources:
        G.connect(source, total)
    return total


def _lead(G: GRAFX, end: int, to: list[int], channel: Channel) -> None:
    """Let a channel hear a node; once more only through another one, as a graph has no equal edges."""
    to.append(end if end not in to else _append(G, end, [_WHOLE_SEND], channel))


def _chain(project: Project, channel: Channel, rate: int) -> tuple[list[DeviceNode], list[DeviceNode]]:
    """The nodes of the devices and of the fader; gains in series are one."""
    steps: list[DeviceNode] = []
    gains = UNITY
    for device in channel.devices:
        place = f"the {device.kind} '{device.name}' of '{channel.name}'"
        if device.kind not in BUILT_IN:
            project.left_out.append(place)
            continue
        project.left_out += [f"{what} of {place}" for what in device.problems]
        (before, after), own = gains_around(device), steps_of(device, rate)
        gains = times(gains, (before, before))
        if own:
            steps += [*gain_steps(gains), *own]
            gains = UNITY
        gains = times(gains, (after, after))
    if any(send.pre for send in channel.sends):
        steps += gain_steps(gains)
        gains = UNITY
    return steps, gain_steps(times(gains, channel.gains), always=channel.is_node)


def _append(G: GRAFX, end: int, steps: list[DeviceNode], channel: Channel) -> int:
    for step in steps:
        node = G.add(step.type, step.parameters)
        G.nodes[node].update(step.attributes, owner=channel.name)
        G.connect(end, node)
        end = node
    return end


def _nobody(_: str) -> None:
    """Takes notices that nobody needs."""
