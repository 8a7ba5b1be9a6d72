"""A graph as a DAWproject."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
import torch.nn as nn
from torch import Tensor

from ...audio import write_audio
from ...data import GRAFX
from ...errors import ExchangeError
from ...files import replacing
from ...search.mixing.mixer import render_mix
from ...text import file_name, free_name, printable
from ..carried import Written
from ..distance import distance_between
from ..parts import parts_of
from .archive import METADATA, PROJECT, write_archive
from .mixer import mixer_of
from .model import Clip
from .read import MOST_SECONDS, read_mixer
from .xml_writer import metadata_xml, project_xml


def write_dawproject(
    G: GRAFX,
    out: Path,
    sample_rate: int,
    *,
    stems: Tensor | None = None,
    processors: Mapping[str, nn.Module] | None = None,
    title: str | None = None,
    seconds: float | None = None,
) -> Written:
    """Write a graph and its stems as a DAWproject; see :func:`.write_graph`.

    Gains become faders, pans and sends, and equalizers, compressors, gates and limiters the devices of the format,
    where these do the same, or nearly so. What has no counterpart is recorded: into the audio of a stem before its
    first device, elsewhere as a track of its own beside what follows the input, which stays as it is.

    Args:
        G: The graph.
        out: The file.
        sample_rate: In Hz.
        stems: ``(K, 1, L)`` or ``(K, 2, L)``; a graph without inputs needs none.
        processors: Node type to processor.
        title: That of the song; by default the name of the file.
        seconds: How long a graph without inputs plays.

    Raises:
        ExchangeError: There are no stems, or more or fewer than inputs, the graph has several outputs or a cycle.
    """
    title = printable(out.stem if title is None else title)
    parts = parts_of(G, sample_rate, processors)
    stems = _stems(sum(part.type == "in" for part in parts), stems, seconds, sample_rate)
    mixed = mixer_of(parts, stems, sample_rate)
    project, length = mixed.project, stems.shape[-1] / sample_rate
    audio = {}
    for channel in project.channels:
        if channel.audio is not None:
            path = _path(channel.name, audio)
            audio[path] = channel.audio
            channel.clips = [Clip(path)]
    texts = {
        PROJECT: project_xml(replace(project, title=title), sample_rate, length, _version()),
        METADATA: metadata_xml(title),
    }
    files = [
        (path, partial(write_audio, signal=signal.float().contiguous(), sample_rate=sample_rate))
        for path, signal in (*audio.items(), *mixed.responses.items())
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial_file, tempfile.TemporaryDirectory() as scratch:
        write_archive(partial_file, texts, files, Path(scratch))
        read = read_mixer(partial_file)
        again = render_mix(read.G, read.stems, sample_rate)
        distance = distance_between(again[:, : mixed.mix.shape[-1]], mixed.mix, sample_rate)
    return Written([out], mixed.carried, distance)


def _stems(count: int, stems: Tensor | None, seconds: float | None, sample_rate: int) -> Tensor:
    """Stereo stems, one for each input; none of the length that is asked for."""
    if count == 0 and stems is None:
        if seconds is None or not 0 < seconds <= MOST_SECONDS:
            raise ExchangeError(
                "The graph has no inputs, so that nothing says how long it plays: give seconds, on the command line by"
                f" --seconds, up to {MOST_SECONDS}."
            )
        return torch.zeros(0, 2, max(1, round(seconds * sample_rate)))
    if stems is None:
        raise ExchangeError("A project holds the audio of its tracks: give the stems, on the command line by --stem.")
    if stems.ndim != 3 or len(stems) != count or stems.shape[1] not in (1, 2):
        raise ExchangeError(
            f"The graph takes stems of shape ({count}, 2, samples), but they are of {tuple(stems.shape)}."
        )
    return stems.detach().cpu().expand(-1, 2, -1)


def _path(name: str, others: Mapping[str, Tensor]) -> str:
    """Where the audio of a channel lies in the archive."""
    taken = {other.lower() for other in others}
    return f"{free_name(f'audio/{file_name(name)}', lambda path: f'{path}.wav'.lower() in taken)}.wav"


def _version() -> str:
    try:
        return version("grafx")
    except PackageNotFoundError:
        return "0"
