"""``grafx invert``."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Column
from torch import Tensor

from ..audio import audio_digest, read_audio
from ..errors import SearchError
from ..processors import KICKS, KickSynth
from ..processors.base import Processor
from ..search import Effort, Inversion, remove_checkpoint
from ..search.inversion.invert import Inverting
from ..search.inversion.memory import load_memory, save_memory
from ..search.inversion.report import INVERSION_FILES, write_inversion
from ..words import signed
from .outputs import check_folder
from .progress import CHECKPOINT, SECONDS_BETWEEN_CHECKPOINTS, interrupts, shown_progress
from .results import alone_in
from .tables import print_table
from .terminal import notice, say

PHASES = {
    "scan": "scanning all settings",
    "evolve": "crossing the best",
    "descend": "descending",
    "waveform": "fitting the waveform",
    "finish": "finishing",
}
CHECKPOINT_FILE = "inversion.safetensors"
NO_MODE = {"modal_amp": 0.001}


def _kick(sample_rate: int) -> tuple[Processor, list[dict[str, float]]]:
    return KickSynth(use_modal=True, sample_rate=sample_rate), [{**NO_MODE, **settings} for settings in KICKS.values()]


SYNTHS: Mapping[str, Callable[[int], tuple[Processor, list[dict[str, float]]]]] = {"kick": _kick}
"""Name to a function of the sample rate that returns a synthesizer and some initial settings."""


def run_invert(path: Path, synth: str, out: Path, seed: int, effort: Effort | None = None) -> bool:
    """Find the settings with which a synthesizer reproduces a sound file, with a progress bar, and write the results.

    An interrupted inversion is resumed. Results of another inversion are never overwritten.

    Returns:
        True if the inversion finished, false if it was interrupted.
    """
    if synth not in SYNTHS:
        raise SearchError(f"There is no synthesizer '{synth}': use one of {', '.join(SYNTHS)}.")
    check_folder(out, SearchError)
    signal, sample_rate = read_audio(path, notice)
    if signal.shape[0] > 1:
        notice(f"{path} has {signal.shape[0]} channels, which are mixed down to one.")
    target = signal.mean(0, keepdim=True)
    processor, starts = SYNTHS[synth](sample_rate)
    effort = effort or Effort()
    inverting = Inverting(processor, target, sample_rate, starts=starts, seed=seed, effort=effort)
    fingerprint = _fingerprint(target, sample_rate, synth, seed, effort)
    if _is_finished(out, fingerprint):
        say(f"This inversion is finished already; its results are in {out}.")
        return True
    with alone_in(out):
        found, stopped = _invert_in(out, inverting, target, fingerprint, {"synth": synth, "seed": seed})
    if stopped:
        notice(f"Stopped. The best settings so far are in {out}; the same command resumes.")
    if found.lead:
        milliseconds = 1000 * found.lead / sample_rate
        notice(f"The sound begins {milliseconds:.1f} ms into the file; found.wav is silent before.")
    print_inversion(found, processor)
    say(f"Results are in {out}: {', '.join(INVERSION_FILES)}.")
    return not stopped


def _invert_in(
    out: Path, inverting: Inverting, target: Tensor, fingerprint: str, about: dict[str, Any]
) -> tuple[Inversion, bool]:
    """Start or resume an inversion in a folder and write its results; also return whether it was interrupted."""
    checkpoint = out / CHECKPOINT / CHECKPOINT_FILE
    if (kept := load_memory(checkpoint, fingerprint)) is not None:
        inverting.memory, inverting.losses = kept
        notice(f"Going on after {len(inverting.losses)} steps.")
    elif present := [name for name in INVERSION_FILES if (out / name).exists()]:
        raise SearchError(f"{out} already holds {', '.join(present)}, which is left as it is: give another folder.")
    save_memory(inverting.memory, inverting.losses, fingerprint, checkpoint)
    with interrupts() as interrupted:
        stopped = _run_with_progress(inverting, checkpoint, fingerprint, interrupted)
        save_memory(inverting.memory, inverting.losses, fingerprint, checkpoint)
        found = inverting.result()
        about = {**about, "finished": not stopped, "fingerprint": fingerprint}
        write_inversion(found, target, inverting.sample_rate, out, about)
        if not stopped:
            remove_checkpoint(out / CHECKPOINT)
    return found, stopped


def _run_with_progress(
    inverting: Inverting, checkpoint: Path, fingerprint: str, interrupted: Callable[[], bool]
) -> bool:
    """Run an inversion until it ends or is interrupted, and return whether it was interrupted."""
    saved = time.monotonic()
    with shown_progress(PHASES["scan"]) as show:
        for step in inverting.run():
            show(PHASES[step.phase], step.step, step.total, f"loss {step.loss:.4f}")
            if interrupted():
                return True
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                save_memory(inverting.memory, inverting.losses, fingerprint, checkpoint)
                saved = time.monotonic()
    return False


def _fingerprint(target: Tensor, *settings: Any) -> str:
    """Digest that identifies an inversion."""
    return hashlib.sha256((repr(settings) + audio_digest(target)).encode()).hexdigest()[:32]


def _is_finished(out: Path, fingerprint: str) -> bool:
    try:
        settings = json.loads((out / "settings.json").read_text(encoding="utf-8"))
        return settings["fingerprint"] == fingerprint and settings["finished"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def print_inversion(found: Inversion, processor: Processor) -> None:
    """Print the settings found next to the defaults."""
    rows = [
        (leaf.name, number(leaf.control.default), number(found.settings[leaf.name]), leaf.control.unit)
        for leaf in processor.leaves()
    ]
    rows.append(("spectral loss", number(found.starting_loss), number(found.loss), ""))
    numbers = (Column(header, justify="right") for header in ("default", "found"))
    print_table("Settings", ("", *numbers, "unit"), rows)
    if found.starting_loss > 0:
        say(f"The loss is {found.loss / found.starting_loss:.3f} of that of the default settings.")
    level = 20 * math.log10(max(found.gain, 1e-9))
    say(f"A gain of {signed(level, 1)} dB gets the sound to the level of the file.")


def number(value: Any) -> str:
    """Format four significant digits without an exponent."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 1e-4 else "0"
