"""Reverbs: how their sound decays, and what it sounds like."""

import math
from typing import Any

import numpy as np
import torch
from scipy.signal import butter, sosfilt
from torch import Tensor

from ... import processors as library
from ...parameters.curves import decibels
from ...processors.contract import tail_of
from ..heard import Heard
from . import other
from .plots import View, axis, channel_names, hertz_axis, plot, series, spectrum
from .probe import answer, num_channels

CLASSES = (
    library.ConvolutionReverb,
    library.FeedbackDelayNetwork,
    library.FilteredNoiseShapingReverb,
    library.Freeverb,
    library.STFTMaskedNoiseReverb,
    library.VelvetNoiseReverb,
)
SHORTEST, LONGEST = 0.1, 10.0  # s of an impulse response
RANGE_DB = 60
OCTAVES = (63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)
FIT = (-5.0, -25.0)  # dB of a decay between which its time is measured, as that by a T20


def handles(processor: Any) -> bool:
    return isinstance(processor, CLASSES)


def views(heard: Heard, node_id: int) -> list[View]:
    """The energy decay curve and the decay times of octaves of the wet sound, and its spectrum."""
    response = impulse_response(heard, node_id)
    if not response.any():
        return []
    rate = heard.sample_rate
    names = channel_names(response)
    size = math.ceil(response.shape[-1] / 300)
    lines = [
        series(name, 1000 * np.arange(0, response.shape[-1], size) / rate, decay_curve(row)[::size])
        for name, row in zip(names, response, strict=False)
    ]
    milliseconds = axis("Time", "ms", 0, 1000 * response.shape[-1] / rate)
    found = [plot("Decay", milliseconds, axis("Energy still to come", "dB", -RANGE_DB, 0), lines)]
    bands = [(hertz, time) for hertz in OCTAVES if hertz < rate / 2.9 and (time := decay_time(response, rate, hertz))]
    if bands:
        hertz, seconds = zip(*bands, strict=True)
        line = series("all channels", hertz, seconds, "stems")
        longest = axis("Time to −60 dB", "s", 0, 1.1 * max(seconds))
        found.append(plot("Decay time of octaves", hertz_axis(rate), longest, [line]))
    tones = [series(name, *spectrum(row[None], rate)) for name, row in zip(names, response, strict=False)]
    return [*found, {**other.spectra(tones, rate), "title": "Spectrum of the reverberation"}]


def impulse_response(heard: Heard, node_id: int) -> Tensor:
    """``(C, N)``: the wet answer to an impulse on all channels, as long as it sounds, up to ten seconds."""
    processor = heard.processors[heard.G.nodes[node_id]["node_type"]]
    seconds = tail_of(processor, heard.parameters[node_id]) / heard.sample_rate
    length = int(min(max(seconds, SHORTEST), LONGEST) * heard.sample_rate)
    impulse = torch.zeros(max(1, num_channels(heard, node_id)), length, dtype=heard.sources.dtype)
    impulse[:, 0] = 1
    return answer(heard, node_id, impulse, wet=True)[0].cpu()


def decay_curve(response: Tensor) -> Tensor:
    """Schroeder's backward integral of the energy of ``(…, N)``, in dB below that of all."""
    energy = response.double().square().flip(-1).cumsum(-1).flip(-1)
    return decibels((energy / energy[..., :1].clamp(min=1e-300)).sqrt())


def decay_time(response: Tensor, sample_rate: int, hertz: float | None = None) -> float | None:
    """Time in s in which a response ``(C, N)`` falls by 60 dB, by its slope from −5 to −25 dB.

    Args:
        response: The response.
        sample_rate: In Hz.
        hertz: Middle of the octave that counts; all by default.

    Returns:
        The time; None where it does not fall so far.

    References:
        Schroeder, "New method of measuring reverberation time", JASA 37, 1965; ISO 3382.
    """
    signal = response.double().numpy()
    if hertz is not None:
        edges = hertz / math.sqrt(2), min(hertz * math.sqrt(2), 0.49 * sample_rate)
        signal = sosfilt(butter(4, edges, "bandpass", fs=sample_rate, output="sos"), signal, -1)
    energy = np.square(signal).sum(0)[::-1].cumsum()[::-1]
    if not energy[0] > 0:
        return None
    levels = 10 * np.log10(np.maximum(energy / energy[0], 1e-30))
    first, last = np.argmax(levels <= FIT[0]), np.argmax(levels <= FIT[1])
    if last <= first + 8 or last > 0.9 * len(levels):
        return None
    slope = np.polyfit(np.arange(first, last) / sample_rate, levels[first:last], 1)[0]
    return float(-60 / slope) if slope < 0 else None
