"""Pictures of reverbs."""

import numpy as np
import torch
from grafx.processors import (
    ConvolutionReverb,
    FeedbackDelayNetwork,
    FilteredNoiseShapingReverb,
    Freeverb,
    LowPassFilter,
    SchroederAllpass,
    STFTMaskedNoiseReverb,
    VelvetNoiseReverb,
)
from grafx.processors.base import Processor
from plots import SAMPLE_RATE, Panel, Settings, named, spectrogram, vary, waveform

from .panels import clicks


def schroeder() -> list[Panel]:
    processor = SchroederAllpass(4, (31.7, 19.3, 11.9, 7.1))
    settings = vary({}, *({"gain": gain} for gain in (0.7, 0.5, -0.3)))
    dull = SchroederAllpass(2, (13.7, 9.1), frequency_dependent=True)
    decays = named(
        {"gains 0.9 low and 0.3 high, crossover 2 kHz": {"gain_low": 0.9, "gain_high": 0.3, "crossover_hz": 2e3}}
    )
    return [clicks(processor, settings, 300), spectrogram(dull, decays, 0.4)]


def convolution_reverb() -> list[Panel]:
    """Make a hall-like response: direct sound, reflections, and noise that gets darker over time."""
    noise = torch.randn(2, SAMPLE_RATE, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    hall = LowPassFilter()(noise[None], dsp_params={"frequency_hz": 3000})[0] * 10 ** (-3 * time / 1.2)
    hall = 0.12 * (hall + 0.3 * noise * 10 ** (-3 * time / 0.5)) * (time > 0.03)
    hall[:, [0, 500, 900]] += torch.tensor([[1.0, 0.5, 0.2], [1.0, 0.2, 0.5]], dtype=torch.double)
    processor = ConvolutionReverb(hall)
    settings = named(
        {
            "as it is": {},
            "decay 0.5, of treble 0.2": {"low_decay": 0.5, "mid_decay": 0.5, "high_decay": 0.2},
            "pre-delay 150 ms, decay 0.3": {"pre_delay_ms": 150, "low_decay": 0.3, "mid_decay": 0.3, "high_decay": 0.3},
        }
    )
    return [waveform(processor, settings, 0.8), spectrogram(processor, settings, 0.8, index=1)]


def decaying(processor: Processor, num_bands: int, times: list[tuple[float, float]], sample_rate: float) -> list[Panel]:
    """Set decay times that decrease from the lowest to the highest band."""
    settings = named(
        {
            f"{low:g} ms, at the highest {high:g} ms": {"decay_ms": np.tile(np.geomspace(low, high, num_bands), (2, 1))}
            for low, high in times
        },
        "decay by 60 dB at the lowest frequency in",
    )
    return [waveform(processor, settings, 0.8, sample_rate), spectrogram(processor, settings, 0.8, sample_rate)]


def reverb(processor: Processor, settings: Settings, seconds: float, index: int = 0) -> list[Panel]:
    return [
        waveform(processor, settings, seconds, SAMPLE_RATE),
        spectrogram(processor, settings, seconds, SAMPLE_RATE, index),
    ]


def delay_network() -> list[Panel]:
    times = {
        "2.5 s at low frequencies, 0.4 s at high ones": np.geomspace(2.5, 0.4, 9),
        "0.6 s everywhere": 0.6,
        "0.2 s, and 1.2 s at 1 kHz": [0.2, 0.2, 0.2, 0.4, 1.2, 0.4, 0.2, 0.2, 0.2],
    }
    settings = named({name: {"t60_s": seconds} for name, seconds in times.items()}, "decay by 60 dB in")
    return reverb(FeedbackDelayNetwork(), settings, 1.0)


def freeverb() -> list[Panel]:
    settings = vary(
        {},
        {"room_size": 0.9, "damping": 0.2},
        {"room_size": 0.5, "damping": 0.5},
        {"room_size": 0.2, "damping": 0.9},
    )
    return reverb(Freeverb(), settings, 1.0)


def velvet() -> list[Panel]:
    bands = VelvetNoiseReverb()
    times = {
        "1.5 s at low frequencies, 0.3 s at high ones": np.tile(np.geomspace(1.5, 0.3, 9), (2, 1)),
        "0.5 s everywhere": 0.5,
        "0.1 s everywhere": 0.1,
    }
    settings = named({name: {"t60_s": seconds} for name, seconds in times.items()}, "decay by 60 dB in")
    dark = named({"dark velvet noise, from pulses of 1 to 16 samples": {}})
    return [
        waveform(bands, settings, 0.8),
        spectrogram(VelvetNoiseReverb(color="dark"), dark, 0.8),
    ]


PICTURES: dict[str, list[Panel]] = {
    "SchroederAllpass": schroeder(),
    "ConvolutionReverb": convolution_reverb(),
    "STFTMaskedNoiseReverb": decaying(STFTMaskedNoiseReverb(), 193, [(2000, 500), (500, 200), (100, 100)], SAMPLE_RATE),
    "FilteredNoiseShapingReverb": decaying(
        FilteredNoiseShapingReverb(noise_randomness="fixed"), 12, [(1500, 400), (500, 200), (100, 100)], 30000
    ),
    "FeedbackDelayNetwork": delay_network(),
    "Freeverb": freeverb(),
    "VelvetNoiseReverb": velvet(),
}
