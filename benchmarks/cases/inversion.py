"""Sounds of known settings, and settings found from the sound alone."""

from collections.abc import Callable
from typing import Any

SAMPLE_RATE = 44100
SAMPLES = 22050
STEPS = 300
RANGES = {
    "f_start": (60, 1000),
    "pitch_decay": (3, 80),
    "detune_amount": (0, 0.3),
    "sub_osc_mix": (0, 0.3),
    "attack_time": (0.001, 0.01),
    "decay_time": (0.02, 0.3),
    "sustain_level": (0, 0.5),
    "release_time": (0.02, 0.2),
    "distortion_drive": (1, 5),
    "shell_filter_cutoff": (60, 400),
    "shell_filter_res": (0.5, 2),
    "shell_decay": (0.1, 0.5),
    "shell_mix": (0, 0.6),
    "lfo_rate": (1, 10),
    "lfo_amount": (0, 0.1),
    "transient_decay": (200, 2000),
    "transient_level": (0, 2),
    "transient_hp_cutoff": (500, 8000),
}
"""Ranges of random kicks; the search uses the ranges of the synthesizer."""


def inversion(seed: int, method: str, quick: bool) -> Callable[[], dict[str, Any]]:
    """Draw a kick and find its settings by ``"search"`` or by ``"plain descent"``; errors are relative."""
    import torch
    from grafx.processors import KickSynth

    from grafx.search import Effort, invert

    maker = KickSynth(param_range=RANGES)
    norm = torch.rand(maker.count_num_parameters(), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        target = maker(norm_params=norm[None], num_samples=2000 if quick else SAMPLES)[0]
    truth = {name: value.item() for name, value in maker.norm_to_dsp(norm[None]).items()}
    effort = Effort(64, 16, 1, 2, 2, 2, 1, 0, 2) if quick else Effort()
    if method == "plain descent":
        effort = Effort(0, 0, 0, 1, 0, 2 if quick else STEPS, 0, 0, 0)

    def run() -> dict[str, Any]:
        found = invert(KickSynth(), target, SAMPLE_RATE, effort=effort)
        return {
            "f_start": truth["f_start"],
            "pitch_decay": truth["pitch_decay"],
            "pitch": found.settings["f_start"] / truth["f_start"] - 1,
            "fall": found.settings["pitch_decay"] / truth["pitch_decay"] - 1,
            "loss": found.loss,
            "ratio": found.loss / found.starting_loss,
        }

    return run
