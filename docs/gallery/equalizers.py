"""Pictures of equalizers."""

import math

import numpy as np
import torch
from grafx.processors import GraphicEqualizer, NewZeroPhaseFIREqualizer, ParametricEqualizer, ZeroPhaseFIREqualizer
from plots import SAMPLE_RATE, Panel, magnitude, named

from .panels import numbers

NEPER = 20 / math.log(10)


def curve(num_bins: int, *points: tuple[float, float]) -> np.ndarray:
    """Interpolate decibels at ``num_bins`` frequencies up to Nyquist between points (Hz, dB) on a logarithmic scale."""
    hertz = np.linspace(0, SAMPLE_RATE / 2, num_bins, endpoint=False)
    at, decibels = zip(*points, strict=True)
    return np.interp(np.log(hertz.clip(1)), np.log(at), decibels)


TILT = (100, 9), (10000, -9)
SMILE = (60, 9), (200, 0), (1000, -9), (4000, 0), (12000, 9)
PRESENCE = (800, 0), (3000, 12), (10000, 0)


def zero_phase() -> list[Panel]:
    shapes = {"a tilt of 9 dB per decade": TILT, "a smile": SMILE, "presence": PRESENCE}
    settings = named({name: {"magnitude_db": curve(1024, *points)} for name, points in shapes.items()})
    return [magnitude(ZeroPhaseFIREqualizer(), settings, -18, 18)]


def new_zero_phase() -> list[Panel]:
    bank = {"num_filters": 24, "scale": "bark_traunmuller"}
    processor = NewZeroPhaseFIREqualizer(use_filterbank=True, filterbank_kwargs=bank)
    steps = np.arange(24)
    shapes = {
        "bands 10 to 13 up by 12 dB": 12.0 * ((steps >= 9) & (steps < 13)),
        "every other band down by 12 dB": -12.0 * (steps % 2),
        "1 dB less in each band": 11.5 - steps,
    }
    settings = named({name: {"magnitude_db": gains} for name, gains in shapes.items()}, "24 Bark bands")
    return [magnitude(processor, settings, -18, 18)]


def parametric() -> list[Panel]:
    place = {"frequency_hz": (100, 500, 3000, 8000), "q": (0.7, 2, 1, 0.7)}
    gains = ((6, -9, 6, -6), (-12, 6, 0, 9), (0, 0, -12, 0))
    settings = named(
        {f"gains{numbers(each)} dB": {**place, "gain_db": each} for each in gains},
        "low shelf 100 Hz, peaks 500 Hz and 3 kHz, high shelf 8 kHz",
    )
    return [magnitude(ParametricEqualizer(num_filters=4), settings, -18, 18)]


def graphic() -> list[Panel]:
    processor, steps = GraphicEqualizer(scale="third_octave"), torch.arange(31)
    shapes = {
        "one band up by 12 dB": 12.0 * (steps == 17),
        "up and down by 6 dB in turns": 6.0 - 12.0 * (steps // 4 % 2),
        "a slope": 12 - 0.8 * steps,
    }
    settings = named(
        {name: {"gain_db": NEPER * processor.gains_for(gains / NEPER)} for name, gains in shapes.items()},
        "third octaves, with gains from gains_for",
    )
    return [magnitude(processor, settings, -18, 18)]


PICTURES: dict[str, list[Panel]] = {
    "ZeroPhaseFIREqualizer": zero_phase(),
    "NewZeroPhaseFIREqualizer": new_zero_phase(),
    "ParametricEqualizer": parametric(),
    "GraphicEqualizer": graphic(),
}
