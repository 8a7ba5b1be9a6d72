"""Waveshapers, and compressors with two gain factors, of several packages with the same noise.

A function named ``<processor>_<package>`` imports its package and returns a function of stereo signals and its
settings, tensors; those of pedalboard have neither gradients nor settings.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from .probes import probed

if TYPE_CHECKING:
    from grafx.processors.base import Processor
    from torch import Tensor

Function = Callable[..., "Tensor"]

SAMPLE_RATE = 44100
DRIVE_DB = 20.0
BITS = 8
PERIODS = (463, 929, 1867, 2789)  # of sines in 2¹⁴ samples, of which no alias is a harmonic
AUDIBLE = 0.45  # of the sample rate


def shaping(
    name: str, package: str, train: bool, signals: int, samples: int, **options: Any
) -> Callable[[], dict[str, list[float]]]:
    """Process stereo noise, without gradients or with those of signals and settings.

    Args:
        name: Name of the processor, ``waveshaper`` for example.
        package: Package, as in the names of the functions of this module.
        train: Whether to compute gradients.
        signals: Number of signals.
        samples: Length of the signals.
        **options: Options of the processor.

    Returns:
        A function to run, which returns as ``probes`` some numbers of the output, or of the signals' gradient.
    """
    import torch

    x = (torch.randn(signals, 2, samples) / 5).requires_grad_(train)
    weights = torch.randn(x.shape)
    process, settings = globals()[f"{name}_{package}"](signals, **options)
    leaves = [value.clone().requires_grad_(train) for value in settings]

    return probed(process, x, leaves, weights, train)


def aliasing(shape: str, remedies: list[tuple[str | None, int]]) -> Callable[[], dict[str, list[float]]]:
    """Clip sines, and compare the energy of aliases with that of harmonics.

    Args:
        shape: Curve of the waveshaper.
        remedies: Options ``antialiasing`` and ``oversampling``.

    Returns:
        A function to run, which returns as ``aliases`` decibels for each of the remedies, the worst of all sines.
    """
    import math

    import torch
    from grafx.processors import Waveshaper

    length = 2**14
    time = torch.arange(2 * length, dtype=torch.double)
    sines = torch.sin(2 * math.pi / length * torch.tensor(PERIODS)[:, None, None] * time)

    def of(processor: "Processor") -> float:
        y = processor(sines, dsp_params={"drive_db": DRIVE_DB})[:, 0, length // 2 : 3 * length // 2]
        energies = torch.fft.rfft(y).abs().square()[:, 1 : int(AUDIBLE * length)]
        harmonic = torch.arange(1, energies.shape[1] + 1) % torch.tensor(PERIODS)[:, None] == 0
        aliases, harmonics = ((energies * where).sum(1) for where in (~harmonic, harmonic))
        return 10 * math.log10((aliases / harmonics).max())

    return lambda: {"aliases": [of(Waveshaper(shape, *remedy)) for remedy in remedies]}


def waveshaper_ours(signals: int, shape: str, antialiasing: str | None = None, oversampling: int = 1) -> tuple:
    from grafx.processors import Waveshaper

    return _ours(Waveshaper(shape, antialiasing, oversampling), signals, drive_db=DRIVE_DB)


def spline_ours(signals: int, oversampling: int = 1) -> tuple:
    from grafx.processors import SplineDistortion

    return _ours(SplineDistortion(oversampling=oversampling), signals)


def bits_ours(signals: int) -> tuple:
    from grafx.processors import BitCrusher

    return _ours(BitCrusher(), signals, bits=BITS + 1)


def compressor_ours(signals: int) -> tuple:
    from grafx.processors import Compressor

    return _ours(Compressor(style="desk", sample_rate=SAMPLE_RATE), signals)


def gate_ours(signals: int) -> tuple:
    from grafx.processors import NoiseGate

    return _ours(NoiseGate(style="desk", sample_rate=SAMPLE_RATE, knee_type="quadratic"), signals)


def factorized_compressor_ours(signals: int, **options: Any) -> tuple:
    from grafx.processors import FactorizedCompressor

    return _ours(FactorizedCompressor(SAMPLE_RATE, **options), signals)


def factorized_gate_ours(signals: int, **options: Any) -> tuple:
    from grafx.processors import FactorizedNoiseGate

    return _ours(FactorizedNoiseGate(SAMPLE_RATE, **options), signals)


def waveshaper_dasp(signals: int, shape: str) -> tuple:
    import torch
    from dasp_pytorch.functional import distortion

    assert shape == "tanh"
    return lambda x, drive: distortion(x, SAMPLE_RATE, drive), [torch.full((signals, 2), DRIVE_DB)]


def waveshaper_pedalboard(signals: int, shape: str) -> tuple:
    from pedalboard import Clipping, Distortion, Gain, Pedalboard

    if shape == "tanh":
        return _plugins([Distortion(DRIVE_DB) for _ in range(signals)])
    return _plugins([Pedalboard([Gain(DRIVE_DB), Clipping(0.0)]) for _ in range(signals)])


def bits_pedalboard(signals: int) -> tuple:
    from pedalboard import Bitcrush

    return _plugins([Bitcrush(BITS) for _ in range(signals)])


def _ours(processor: "Processor", signals: int, **values: Any) -> tuple[Function, list["Tensor"]]:
    raw = processor.dsp_to_raw(values, signals)
    return lambda x, *leaves: processor(x, **dict(zip(raw, leaves, strict=True))), list(raw.values())


def _plugins(plugins: list) -> tuple[Function, list]:
    """Process one signal after another, in as many threads as there are cores."""
    import torch

    pool = ThreadPoolExecutor(os.cpu_count())

    def process(x: "Tensor") -> "Tensor":
        rows = pool.map(lambda plugin, row: plugin(row, SAMPLE_RATE, reset=True), plugins, x.numpy())
        return torch.stack([torch.from_numpy(row) for row in rows])

    return process, []
