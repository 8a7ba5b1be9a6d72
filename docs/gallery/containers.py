"""Pictures of containers."""

from itertools import pairwise

import numpy as np
from grafx.processors import (
    Compressor,
    DryWet,
    GainStagingRegularization,
    HighPassFilter,
    LowPassFilter,
    MultiBand,
    ParallelMix,
    PeakingFilter,
    SerialChain,
    StereoGain,
)
from plots import Panel, diagram, lines, magnitude, named, static_curve, stereo_noise, vary

from .panels import CROSSOVERS, numbers, three_bands


def dry_wet() -> list[Panel]:
    processor = DryWet(Compressor(energy_smoother=None), external_param=False)
    settings = vary({"threshold_db": -40, "ratio": 20}, *({"drywet": weight} for weight in (0, 0.5, 0.9, 1)))
    nodes = {"in": (0, 0, "in"), "cmp": (1.1, 0.5, "compressor"), "+": (2.3, 0, "mix"), "out": (3.1, 0, "out")}
    edges = [("in", "cmp", ""), ("cmp", "+", "w"), ("in", "+", "1 − w"), ("+", "out", "")]
    return [diagram(nodes, edges), static_curve(processor, settings)]


def serial_chain() -> list[Panel]:
    chain = SerialChain({"low": HighPassFilter(), "peak": PeakingFilter(), "high": LowPassFilter()})
    off = {"low": {"frequency_hz": 20}, "peak": {"gain_db": 0}, "high": {"frequency_hz": 20000}}
    on = {
        "low": {"frequency_hz": 150},
        "peak": {"frequency_hz": 1500, "q": 2, "gain_db": 9},
        "high": {"frequency_hz": 6000},
    }
    settings = named(
        {
            "only the first in use": {**off, "low": on["low"]},
            "the first two": {**on, "high": off["high"]},
            "all three": on,
        },
        "high-pass 150 Hz, peak 1.5 kHz, low-pass 6 kHz",
    )
    nodes = {
        "in": (0, 0, "in"),
        **{name: (0.9 * k + 1, 0, "filter") for k, name in enumerate(chain.processors)},
        "out": (3.8, 0, "out"),
    }
    return [diagram(nodes, [(a, b, "") for a, b in pairwise(nodes)]), magnitude(chain, settings)]


def parallel_mix() -> list[Panel]:
    mix = ParallelMix({"low": LowPassFilter(), "high": HighPassFilter()})
    members = {"low": {"frequency_hz": 300}, "high": {"frequency_hz": 3000}}
    settings = named(
        {f"gains{numbers(gains)} dB": {**members, "gains_db": gains} for gains in ((0, -60), (0, 0), (-12, 0))},
        "low-pass 300 Hz, high-pass 3 kHz",
    )
    nodes = {
        "in": (0, 0, "in"),
        "low": (1.1, 0.5, "filter"),
        "high": (1.1, -0.5, "filter"),
        "+": (2.3, 0, "mix"),
        "out": (3.1, 0, "out"),
    }
    edges = [("in", "low", ""), ("in", "high", ""), ("low", "+", "g₁"), ("high", "+", "g₂"), ("+", "out", "")]
    return [diagram(nodes, edges), magnitude(mix, settings)]


def gain_staging() -> list[Panel]:
    gains, x = np.linspace(-24, 24, 97), stereo_noise(4000)
    watched = GainStagingRegularization(StereoGain())
    each = [{"left_gain_db": gain, "right_gain_db": gain} for gain in gains]
    one = [{"left_gain_db": gain} for gain in gains]
    penalties = {
        label: [watched(x, dsp_params=gain)[1]["gain_reg"].item() for gain in given]
        for label, given in (("StereoGain, both channels", each), ("StereoGain, left channel", one))
    }
    nodes = {"in": (0, 0, "in"), "gn": (1, 0.5, "gain"), "out": (2.6, 0.5, "out"), "rms": (2.2, -0.5, "mix")}
    edges = [("in", "gn", ""), ("gn", "out", ""), ("in", "rms", ""), ("gn", "rms", "")]
    return [diagram(nodes, edges), lines(gains, penalties, "gain (dB)", "gain_reg")]


def multi_band() -> list[Panel]:
    gains = [(-12, 0, 6), (0, -60, 0), (0, 0, 0)]
    settings = named(
        {
            f"gains{numbers(each)} dB": {
                **CROSSOVERS,
                **{f"band{k}_left_gain_db": gain for k, gain in enumerate(each)},
            }
            for each in gains
        },
        "a StereoGain in each band; crossovers at 200 Hz and 3 kHz",
    )
    return [three_bands("gain"), magnitude(MultiBand(StereoGain()), settings, -48, 12)]


PICTURES: dict[str, list[Panel]] = {
    "DryWet": dry_wet(),
    "SerialChain": serial_chain(),
    "ParallelMix": parallel_mix(),
    "GainStagingRegularization": gain_staging(),
    "MultiBand": multi_band(),
}
