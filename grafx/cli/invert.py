"""What ``grafx invert`` does."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..audio import read_audio
from ..errors import SearchError
from ..processors import KICKS, KickSynth
from ..processors.base import Processor
from ..search import Effort, Inversion, Step, invert
from ..search.inversion_report import INVERSION_FILES, write_inversion
from .console import console, notice, say
from .run import alone_in

PHASES = {
    "scan": "scanning all settings",
    "evolve": "crossing the best",
    "descend": "descending",
    "waveform": "fitting the waveform",
    "finish": "finishing",
}
NO_MODE = {"modal_amp": 0.001}


def _kick(sample_rate: int) -> tuple[Processor, list[dict[str, float]]]:
    return KickSynth(use_modal=True, sample_rate=sample_rate), [{**NO_MODE, **settings} for settings in KICKS.values()]


SYNTHS: Mapping[str, Callable[[int], tuple[Processor, list[dict[str, float]]]]] = {"kick": _kick}
"""Name to a function of the sample rate that makes a synthesizer and some of its settings to begin with."""


def run_invert(path: Path, synth: str, out: Path, seed: int, effort: Effort | None = None) -> None:
    """Find the settings with which a synthesizer makes the sound in a file, with a progress bar, and write them."""
    if synth not in SYNTHS:
        raise SearchError(f"There is no synthesizer '{synth}': use one of {', '.join(SYNTHS)}.")
    if present := [name for name in INVERSION_FILES if (out / name).exists()]:
        raise SearchError(f"{out} already holds {', '.join(present)}, which is left as it is: give another folder.")
    signal, sample_rate = read_audio(path, notice)
    if signal.shape[0] > 1:
        notice(f"{path} has {signal.shape[0]} channels, which are mixed down to one.")
    target = signal.mean(0, keepdim=True)
    processor, starts = SYNTHS[synth](sample_rate)
    effort = effort or Effort()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
    )
    with alone_in(out), Progress(*columns, console=console) as bar:
        task = bar.add_task(PHASES["scan"], total=effort.steps, loss="–")

        def show(step: Step) -> None:
            loss = f"{step.loss:.4f}"
            bar.update(task, description=PHASES[step.phase], completed=step.step, total=step.total, loss=loss)

        found = invert(processor, target, sample_rate, starts=starts, seed=seed, effort=effort, progress=show)
        bar.update(task, completed=bar.tasks[0].total)
    if found.lead:
        milliseconds = 1000 * found.lead / sample_rate
        notice(f"The sound begins {milliseconds:.1f} ms into the file; what is before it is silent in found.wav.")
    write_inversion(found, target, sample_rate, out, {"synth": synth, "seed": seed})
    print_inversion(found, processor)
    say(f"Results are in {out}: {', '.join(INVERSION_FILES)}.")


def print_inversion(found: Inversion, processor: Processor) -> None:
    """Say what was found, beside the defaults."""
    table = Table(title="Settings", title_justify="left")
    table.add_column("")
    for column in ("default", "found"):
        table.add_column(column, justify="right")
    table.add_column("")
    for leaf in processor.leaves():
        control = leaf.control
        table.add_row(leaf.name, number(control.default), number(found.settings[leaf.name]), control.unit)
    table.add_section()
    table.add_row("spectral loss", number(found.starting_loss), number(found.loss), "")
    console.print(table)
    if found.starting_loss > 0:
        say(f"The loss is {found.loss / found.starting_loss:.3f} of that of the default settings.")
    level = 20 * math.log10(max(found.gain, 1e-9))
    say(f"A gain of {level:+.1f} dB gets the sound to the level of the file.")


def number(value: Any) -> str:
    """Four digits without a power of ten."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 1e-4 else "0"
