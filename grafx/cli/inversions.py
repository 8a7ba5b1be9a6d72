"""What ``grafx invert`` left: the graph of a synthesizer with its settings, and the sound that it reproduces."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn

from ..audio import read_audio
from ..data import GRAFX
from ..errors import AudioError, GraphError
from ..files import GRAPH_FILE
from ..processors import KickSynth
from ..search.inversion.report import SETTINGS_FILE
from ..synth import kick_graph
from ..text import printable
from .sources import Sources
from .terminal import notice

GRAPHS: Mapping[str, Callable[[Mapping[str, float], int], tuple[GRAFX, dict[str, nn.Module]]]] = {
    "kick": lambda settings, rate: kick_graph(settings, KickSynth(use_modal=True, sample_rate=rate))
}
"""Name of a synthesizer to a function of its settings and the sample rate, to its graph and processors."""


def is_inversion(folder: Path) -> bool:
    """Whether a folder holds the settings of a synthesizer, and no graph beside them."""
    return (folder / SETTINGS_FILE).is_file() and not (folder / GRAPH_FILE).exists()


def sources_of_inversion(folder: Path, target_path: Path | None = None) -> Sources:
    """Build the graph of an inversion, with its target, from where the sound begins and at the graph's own level.

    Raises:
        GraphError: The settings are damaged.
        AudioError: The target is another sound.
        OSError: A file cannot be read.
    """
    file = folder / SETTINGS_FILE
    try:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        rate, lead, length = (int(said[name]) for name in ("sample_rate", "lead", "num_samples"))
        gain = float(said["gain"])
        G, processors = GRAPHS[said["synth"]](said["settings"], rate)
        silence = torch.zeros(0, 1, length - lead)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise GraphError(
            f"{file} does not hold the settings of an inversion ({error}): invert the sound again."
        ) from None
    target = None
    if target_path is not None:
        signal, own_rate = read_audio(target_path, notice)
        if (own_rate, signal.shape[-1]) != (rate, length):
            raise AudioError(
                f"{target_path} has {signal.shape[-1]} samples at {own_rate} Hz, but the settings in {folder} are of a"
                f" sound of {length} at {rate} Hz: give the file that was inverted."
            )
        target = signal.mean(0, keepdim=True)[:, lead:] / gain
    title = printable((target_path or folder.resolve()).stem)
    return Sources(G, silence, target, rate, [], processors, title, {"gain": gain})
