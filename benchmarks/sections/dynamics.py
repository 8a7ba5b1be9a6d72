"""Dynamics.

Times of compressors, and similarity of our dynamics to plug-ins of pedalboard.

**Compressors.** *One band* is `Compressor(style="desk")`, *three bands* is `MultiBandCompressor(44100)`. Signals
are bursts of noise, each with settings of its own; backward passes reach signals and settings. *Differs by* is as for
kernels, in the last quarter of the signals, where GRAFX 0.6.0 has forgotten that its envelope starts at full scale.
That one has the ratio that gives the same gain, the others have all settings by name, and do something else with them:
they smooth the gain in place of the energy, torchcomp after a hard knee, diffFx-pytorch and dasp in decibels, dasp with
its attack alone. Times are from 10 to 90 %, where ours are to 1 − 1/e. diffFx-pytorch listens to the mean of both
channels, dasp to the sum, neither to what cancels in it. *Alike* is ours, `Compressor(None, "ballistics")` and its kin
with settings to match, which computes what they do.

**Sound.** Differences are relative to the output of the plug-in: first with our settings *by name*, then with one
property of the plug-in after another reproduced, which were determined from its responses to constants, steps, sines
and drums. *Level* is the level of ours by name relative to it, *largest* is the largest difference of a sample in the
column before it. −150 dB stands for equality.

- `Compressor`: its knee is hard and each channel has a separate gain, which matters little. Its times are 2π time
  constants, so 10 ms mean 1.59 ms: this is most of any large difference. It smooths amplitudes, ours energies, whose
  root takes half the time to rise and twice the time to fall; *for energies* has twice the attack, half the release,
  and a threshold 1 dB lower, since such an envelope measures sines 0.2 to 1.3 dB lower. *Of amplitudes* is
  `Compressor("ballistics")` with √|x| as its sidechain, the energy of which is |x|: then both are the same, except for
  the 10⁻⁵ that it adds to a level.
- `Limiter` maximizes loudness. A compressor (−10 dB, 4:1, 2 and 200 ms) is followed by one of 1000:1 with the settings,
  a gain of 3.75 dB less the threshold, and clipping. Ours by name has none of this, and is quieter by that gain; *its
  makeup* has gain and clipping, *its stages* has them after two of our compressors.
- `BrickwallLimiter` looks 5 ms ahead and links channels, like `Limiter(lookahead_ms=5)`. Its gain falls at once, is
  held while any sample of the next 5 ms is above the ceiling, and then returns to 1; ours decreases smoothly, and
  recovers between peaks. If few peaks reach the ceiling they are nearly equal. Other times hardly bring them closer.
- `NoiseGate` follows an rms level with instant attack and a release within 50 ms / 2π, by attack and release. Its ratio
  is that of `Expander`; `NoiseGate("ballistics")`, which is first here, computes R = (r + 1) / 2 from an effective
  ratio r. *Its times* include a hard knee for each channel, *its level* is that rms level as the sidechain of
  `Expander`.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ..measure import Unanswered
from ..page import Table
from . import Bench, kernels

WORKERS = ("ours", "theirs", "pedalboard")
PACKAGES = ("grafx", "torch", "diffFx_pytorch", "torchcomp", "torchlpc", "dasp_pytorch", "numba")
NAMES = {**kernels.NAMES, "difffx": "diffFx-pytorch"}
SAMPLE_RATE = 44100


class Pair(NamedTuple):
    """One of our functions in ``cases/compressors.py``, its name on the page, and the packages to compare it with."""

    title: str
    processor: str
    ours: str
    others: tuple[str, ...]


class Plugin(NamedTuple):
    """A plug-in, its varied setting and values, and the names of our outputs of ``cases/likeness.py``.

    The first output has its settings by name.
    """

    name: str
    settings: dict[str, str]
    values: tuple[tuple[float, ...], ...]
    steps: tuple[str, ...]


PAIRS = (
    Pair("one band", "one_band", "ours", ("difffx", "torchcomp", "dasp", "grafx06")),
    Pair("one band, alike", "one_band", "ours_like_difffx", ("difffx",)),
    Pair("one band, alike", "one_band", "ours_like_torchcomp", ("torchcomp",)),
    Pair("one band, alike", "one_band", "ours_like_dasp", ("dasp",)),
    Pair("three bands", "three_bands", "ours", ("difffx",)),
)
THRESHOLD, RATIO = {"threshold_db": "threshold, dB"}, {"ratio": "ratio"}
ATTACK, RELEASE = {"attack_ms": "attack, ms"}, {"release_ms": "release, ms"}
PLUGINS = (
    Plugin(
        "Compressor",
        {**THRESHOLD, **RATIO, **ATTACK, **RELEASE},
        (
            *product((-30, -20, -10), (4,), (10,), (200,)),
            *product((-20,), (2, 10), (10,), (200,)),
            *product((-20,), (4,), (1, 30), (200,)),
            *product((-20,), (4,), (1, 10), (50,)),
            (-30, 10, 1, 50),
        ),
        ("by name", "its knee, each channel", "its times", "for energies", "of amplitudes"),
    ),
    Plugin(
        "Limiter",
        {**THRESHOLD, **RELEASE},
        tuple(product((-6, -12), (50, 200))),
        ("by name", "its makeup", "its stages", "of amplitudes"),
    ),
    Plugin(
        "BrickwallLimiter",
        {"ceiling_db": "ceiling, dB", **RELEASE},
        tuple(product((-1, -6, -12), (50, 200))),
        ("by name",),
    ),
    Plugin(
        "NoiseGate",
        {**THRESHOLD, **RATIO, **ATTACK, **RELEASE},
        (
            *product((-40,), (4,), (1,), (100,)),
            *product((-30, -20), (4, 10), (1,), (100,)),
            *product((-20,), (4,), (10,), (50, 200)),
        ),
        ("by name", "`Expander`", "its times", "its level", "of amplitudes"),
    ),
)


def run(bench: Bench) -> Iterator[Table]:
    yield _speed(bench)
    seconds = 0.5 if bench.quick else 10
    sound = "a drum loop" if bench.audio is None else Path(bench.audio).name
    for plugin in PLUGINS:
        yield _likeness(bench, plugin, sound, round(seconds * SAMPLE_RATE))


def _speed(bench: Bench) -> Table:
    signals, samples = (2, 2**12) if bench.quick else (16, 2**17)
    table = Table(f"{signals} stereo signals of {samples:,} samples", ("compressor", *kernels.COLUMNS[1:]))
    for pair in PAIRS:
        arguments = {"processor": pair.processor, "signals": signals, "samples": samples}
        repeats = 1 if bench.quick else 5
        for name, cells in kernels.compared(bench, "compressing", arguments, pair.ours, pair.others, repeats):
            table.rows.append((pair.title, NAMES.get(name, name), *cells))
    return table


def _likeness(bench: Bench, plugin: Plugin, sound: str, samples: int) -> Table:
    by_name, *further = plugin.steps
    columns = (*plugin.settings.values(), f"{by_name}, dB", "level, dB", "correlation", *(f"{s}, dB" for s in further))
    table = Table(f"Beside pedalboard's `{plugin.name}`, {sound}", (*columns, "largest") if further else columns)
    for values in plugin.values[: 1 if bench.quick else None]:
        found = _compared(bench, plugin, values, samples)
        first, *others = found["differences"]
        cells = [first, found["level"], _digits(found["correlation"]), *others]
        table.rows.append((*values, *cells, found["largest"]) if further else (*values, *cells))
    for worker in (bench.pedalboard, bench.ours):
        worker.forget()
    return table


def _compared(bench: Bench, plugin: Plugin, values: tuple[float, ...], samples: int) -> dict[str, Any]:
    arguments = {"plugin": plugin.name, "settings": dict(zip(plugin.settings, values, strict=True))}
    try:
        with TemporaryDirectory() as folder:
            arguments["file"] = f"{folder}/sound.npz"
            bench.pedalboard.ask("playing", {**arguments, "samples": samples, "audio": bench.audio})
            return bench.ours.ask("likeness", arguments)
    except Unanswered as unanswered:
        word = str(unanswered)
        cells = dict.fromkeys(("level", "correlation", "largest"), word)
        return {"differences": [word for _ in plugin.steps], **cells}


def _digits(correlation: float | str) -> str:
    return correlation if isinstance(correlation, str) else f"{correlation:.4f}"
