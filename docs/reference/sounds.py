"""Short sounds of every processor, dry and wet, as files that browsers play."""

from pathlib import Path
from typing import NamedTuple

import soundfile
import torch
from plots import words
from torch import Tensor

from .examples import PUBLIC, Example, examples_of, run
from .sources import SAMPLE_RATE, SOURCES, titled

LOUDEST = 0.9
QUALITY = 0.5  # of variable bit rate, from best to smallest; about 15 kB a second


class Sound(NamedTuple):
    """A file, without its suffix, and what it holds."""

    file: str
    title: str
    caption: str


def make(folder: Path) -> dict[str, list[Sound]]:
    """Write all sounds.

    Returns:
        Name of each public processor to its sounds, those that go in before those that come out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    signals = {}
    for name, source in SOURCES.items():
        with torch.no_grad():
            signals[name] = source()
        signals[f"{name}:mono"] = signals[name][:, :1]
        write(folder / f"in_{name}.mp3", signals[name])
    made = {}
    for name in PUBLIC:
        made[name] = []
        for i, example in enumerate(examples_of(name)):
            made[name] += [sound for sound in dry(example) if sound not in made[name]]
            for sound, signal in zip(sounds_of(name, i, example), run(example, signals), strict=True):
                write(folder / f"{sound.file}.mp3", signal)
                made[name].append(sound)
    return made


def dry(example: Example) -> list[Sound]:
    """What goes into an example, except for what is no sound."""
    sources = [] if example.heard else [source.partition(":")[0] for source in example.inputs]
    return [Sound(f"in_{source}", "Before", titled(source)) for source in sources if source != "wobble"]


def sounds_of(name: str, index: int, example: Example) -> list[Sound]:
    """What comes out of an example, a sound for each outlet."""
    processor, values = example.make()
    caption = example.note or words({k: v for k, v in values.items() if not isinstance(v, dict)}) or "without controls"
    if example.heard:
        caption += f": {(example.heard.__doc__ or '').rstrip('.').lower()}"
    outlets = processor.outlets
    titles = [outlet if len(outlets) > 1 else "After" if example.inputs else "Sound" for outlet in outlets]
    parts = [f"_{outlet}" if len(outlets) > 1 else "" for outlet in outlets]
    return [
        Sound(f"{name}_{index}{part}", f"After, {title}" if part else title, caption)
        for title, part in zip(titles, parts, strict=True)
    ]


def write(path: Path, signal: Tensor) -> None:
    """Write a sound of one row, softer where it would clip."""
    samples = signal[0].double()
    peak = samples.abs().max().item()
    soundfile.write(
        path,
        (samples * min(1.0, LOUDEST / max(peak, 1e-9))).T.numpy(),
        SAMPLE_RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=QUALITY,
        bitrate_mode="VARIABLE",
    )
