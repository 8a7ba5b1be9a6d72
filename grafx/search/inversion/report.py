"""Output files of an inversion: settings, sound, a picture."""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...audio import write_audio
from ...files import SETTINGS_FILE as SETTINGS_FILE
from ...files import locked, replacing
from .invert import Inversion

INVERSION_FILES = (SETTINGS_FILE, "found.wav", "spectrogram.png")
RANGE_DB = 70
FRAMES, FRAME = 400, 0.04  # columns of a spectrogram, and seconds
LOWEST, HIGHEST = 30.0, 16000.0  # Hz


def write_inversion(
    found: Inversion, target: Tensor, sample_rate: float, folder: str | os.PathLike, about: Mapping[str, Any]
) -> None:
    """Write the settings found for a processor, their sound, and their distance from the target.

    ``settings.json`` has the settings in physical values, the losses and other findings; ``found.wav`` is the sound at
    the level of the target; ``spectrogram.png`` shows the target and the sound before and after. All files are complete
    before the first replaces an earlier one, and one inversion at a time writes.

    Args:
        found: The result for a processor.
        target: ``(channels, samples)``.
        sample_rate: In Hz.
        folder: Output folder, created if needed.
        about: Additional entries of ``settings.json``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    summary = {
        **about,
        "settings": {name: rounded(value) for name, value in found.settings.items()},
        "gain": rounded(found.gain),
        "sample_rate": sample_rate,
        "num_samples": target.shape[-1],
        "lead": found.lead,
        "loss": found.loss,
        "starting_loss": found.starting_loss,
    }
    with locked(folder), ExitStack() as stack:
        places = {name: stack.enter_context(replacing(folder / name)) for name in INVERSION_FILES}
        places[SETTINGS_FILE].write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        write_audio(places["found.wav"], found.audio, int(sample_rate))
        plot_inversion(found, target, sample_rate).savefig(places["spectrogram.png"], dpi=150)


def rounded(value: Any) -> Any:
    """Round to seven digits, as single precision has."""
    return [rounded(v) for v in value] if isinstance(value, list) else float(f"{value:.7g}")


def plot_inversion(found: Inversion, target: Tensor, sample_rate: float):
    """Plot waveforms and spectrograms of the target, before and after, as a matplotlib figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    waves, pictures = figure.subplots(2, 3, sharex=True, sharey="row", height_ratios=(1, 3))
    titles = (
        "target",
        f"before: default settings, loss {found.starting_loss:.3f}",
        f"after: found settings, loss {found.loss:.3f}",
    )
    sounds = target, found.starting_audio, found.audio
    peak = max(sound.abs().max().item() for sound in sounds)
    loudest = None
    for wave, picture, title, sound in zip(waves, pictures, titles, sounds, strict=True):
        seconds = torch.arange(sound.shape[-1]) / sample_rate
        wave.plot(seconds.numpy(), sound.mean(0).numpy(), color="#33658a", linewidth=0.8)
        wave.set(title=title, ylim=(-1.05 * peak, 1.05 * peak), xlim=(0, seconds[-1].item()))
        wave.grid(alpha=0.25)
        times, frequencies, decibels = spectrogram(sound, sample_rate)
        loudest = decibels.max().item() if loudest is None else loudest
        mesh = picture.pcolormesh(
            times.numpy(),
            frequencies.numpy(),
            (decibels - loudest).numpy(),
            vmin=-RANGE_DB,
            vmax=0,
            cmap="magma",
            shading="nearest",
            rasterized=True,
        )
        picture.set(xlabel="time in s", yscale="log", ylim=(LOWEST, min(HIGHEST, sample_rate / 2)))
        picture.set_yticks([50, 100, 200, 500, 1000, 2000, 5000, 10000])
        picture.yaxis.set_major_formatter("{x:g}")
        picture.minorticks_off()
    waves[0].set_ylabel("amplitude")
    pictures[0].set_ylabel("frequency in Hz")
    figure.colorbar(mesh, ax=pictures, label="dB below the loudest of the target", pad=0.01)
    return figure


def spectrogram(sound: Tensor, sample_rate: float) -> tuple[Tensor, Tensor, Tensor]:
    """Compute times, frequencies and levels in dB ``(frequencies, times)`` of the mean of all channels."""
    size = int(FRAME * sample_rate)
    padded_size = 4 * size
    hop = max(1, sound.shape[-1] // FRAMES)
    mono = torch.nn.functional.pad(sound.mean(0).detach(), (size // 2, size))
    frames = mono.unfold(-1, size, hop)[: sound.shape[-1] // hop] * torch.hann_window(size)
    levels = 20 * torch.fft.rfft(frames, padded_size).abs().clamp(min=1e-9).log10().T
    frequencies = torch.fft.rfftfreq(padded_size, 1 / sample_rate)
    audible = frequencies >= LOWEST / 2
    return torch.arange(levels.shape[1]) * hop / sample_rate, frequencies[audible], levels[audible]
