"""``grafx demo``: a search with a known ground truth, of real stems, mixed with third-party effects."""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor

from ..audio import write_audio
from ..errors import AudioError
from ..files import write_through
from ..search import Options, Search
from ..text import printable
from .progress import busy
from .report import TRUTH_FILE, leave_report
from .search import run_search
from .sources import AUDIO, TARGET
from .terminal import notice, say

SOURCE = "The Easton Ellises, “Falcon 69”"
NAMES = ("drums", "bass", "other", "vocals")
MASTER_GAIN_DB = -8.0
OPTIONS = Options(fit_steps=160)

PLAN = (
    "The demo mixes four real stems with effects that are not ours, searches for a graph that makes the same mix, and"
    " leaves the graph, its drawing, sounds and a page to compare all."
)
TIME = (
    "That takes about five minutes on two cores, less on more; soon the bar tells how long it is here. Ctrl-C stops it,"
    " and the same command resumes."
)

TRUTH = {
    "drums": ["compressor over -24 dB, 3:1", "gain -3.0 dB left, -3.0 dB right"],
    "bass": ["low shelf +5 dB under 120 Hz", "gain -5.0 dB left, -5.0 dB right"],
    "other": ["high shelf -6 dB over 4 kHz", "gain -2.0 dB left, -9.0 dB right"],
    "vocals": ["delay 0.25 s, 20 % wet", "reverb, 20 % wet"],
    "master": [f"gain {MASTER_GAIN_DB:+.1f} dB left, {MASTER_GAIN_DB:+.1f} dB right"],
}
"""The processing of :func:`mix_elsewhere` in words."""


def run_demo(out: Path) -> bool:
    """Mix the excerpt, search, and print the result next to the ground truth.

    Returns:
        True if the search finished, false if it was interrupted.
    """
    notice(f"{PLAN} They go to {printable(out)}. {TIME}")
    with busy("mixing the stems"):
        stems, sample_rate = read_excerpt()
        mix = mix_elsewhere(stems, sample_rate)
        search = Search(stems, mix, sample_rate, NAMES, options=OPTIONS)
    notice(f"{len(NAMES)} stems of {SOURCE}, {stems.shape[-1] / sample_rate:.1f} s, mixed with pedalboard.")
    finished = run_search(search, out, TRUTH)
    for name, signal in (*zip(NAMES, stems, strict=True), (Path(TARGET).stem, mix)):
        write_audio(out / AUDIO / f"{name}.wav", signal, sample_rate)
    write_through(out / TRUTH_FILE, (json.dumps(TRUTH, indent=1, ensure_ascii=False) + "\n").encode())
    if finished:
        say(f"Listen to {out / AUDIO / TARGET} and {out / 'mix.wav'}; see {out / 'graph.svg'}.")
        leave_report(out)
    return finished


def mix_elsewhere(stems: Tensor, sample_rate: int) -> Tensor:
    """Mix ``(4, 2, L)`` stems with pedalboard's effects to ``(2, L)``."""
    from pedalboard import (
        Compressor,
        Delay,
        HighShelfFilter,
        LowShelfFilter,
        Pedalboard,  # pyright: ignore[reportPrivateImportUsage] – public by its documentation
        Reverb,
    )

    boards = {
        "drums": Pedalboard([Compressor(threshold_db=-24, ratio=3, attack_ms=5, release_ms=120)]),
        "bass": Pedalboard([LowShelfFilter(cutoff_frequency_hz=120, gain_db=5)]),
        "other": Pedalboard([HighShelfFilter(cutoff_frequency_hz=4000, gain_db=-6)]),
        "vocals": Pedalboard(
            [
                Delay(delay_seconds=0.25, feedback=0.0, mix=0.2),
                Reverb(room_size=0.6, damping=0.4, wet_level=0.2, dry_level=0.8, width=1.0),
            ]
        ),
    }
    gains_db = torch.tensor([[-3.0, -3.0], [-5.0, -5.0], [-2.0, -9.0], [0.0, 0.0]])
    wet = [torch.from_numpy(boards[name](stem.numpy(), sample_rate)) for name, stem in zip(NAMES, stems, strict=True)]
    gains = 10 ** ((gains_db + MASTER_GAIN_DB) / 20)
    return (torch.stack(wet) * gains.unsqueeze(-1)).sum(0)


def read_excerpt() -> tuple[Tensor, int]:
    """Read the six-second excerpt of the package stempeg: ``(4, 2, L)`` stems and their sample rate."""
    import av

    path = str(_excerpt_path())
    signals = []
    for index in range(1, 1 + len(NAMES)):  # stream 0 is the finished song
        with av.open(path) as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=index)]
            sample_rate = container.streams.audio[index].rate
        signals.append(torch.cat([torch.from_numpy(frame) for frame in frames], dim=1).float())
    return torch.stack(signals), sample_rate


def _excerpt_path() -> Path:
    remedy = "install grafx with its extra 'demo'"
    try:
        files = distribution("stempeg").files or []
    except PackageNotFoundError:
        raise AudioError(f"The demo's stems come with the package stempeg: {remedy}.") from None
    for file in files:
        if file.name.endswith(".stem.mp4"):
            return Path(file.locate())
    raise AudioError(f"This version of stempeg carries no stems: {remedy}.")
