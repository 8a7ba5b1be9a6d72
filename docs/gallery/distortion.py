"""Pictures of distortion."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from grafx.processors import (
    ArctanDistortion,
    BitCrusher,
    ChebyshevDistortion,
    HardClip,
    PiecewiseTanhDistortion,
    PowerDistortion,
    SplineDistortion,
    TanhDistortion,
    Waveshaper,
)
from grafx.processors.base import Processor
from matplotlib.axes import Axes
from plots import SAMPLE_RATE, Panel, harmonics, lanes, lines, named, transfer, vary


def distortion(processor: Processor, settings, amplitude: float = 1.0) -> list[Panel]:
    return [transfer(processor, settings), harmonics(processor, settings, amplitude)]


def piecewise() -> list[Panel]:
    soft, hard = {"positive_hardness": 0.5, "negative_hardness": 0.5}, {"positive_hardness": 5, "negative_hardness": 5}
    low, uneven = {"positive_threshold": 0.2, "negative_threshold": 0.2}, {"negative_threshold": 0.8}
    settings = named(
        {
            "hardness 0.5, threshold 0.2": {**soft, **low},
            "hardness 5, threshold 0.2": {**hard, **low},
            "hardness 5, threshold 0.2 up, 0.8 down": {**hard, **low, **uneven},
        }
    )
    return distortion(PiecewiseTanhDistortion(), settings)


def series(processor: Processor, weights: Mapping[str, tuple[float, ...]]) -> list[Panel]:
    return distortion(processor, named({label: {"weights": each} for label, each in weights.items()}))


POWERS = {"0.9 u − 0.3 u³": (0, 0.9, 0, -0.3), "0.9 u + 0.5 u²": (0, 0.9, 0.5, 0), "0.9 u³": (0, 0, 0, 0.9)}
POLYNOMIALS = {
    "0.9 T₁ + 0.3 T₂": (0, 0.9, 0.3, 0, 0, 0),
    "0.9 T₁ + 0.3 T₃": (0, 0.9, 0, 0.3, 0, 0),
    "0.9 T₅": (0, 0, 0, 0, 0, 0.9),
}


def waveshaper() -> list[Panel]:
    x = torch.linspace(-3, 3, 601, dtype=torch.double)
    shapes = ("hard", "tanh", "tube", "sine_fold")
    curves = {shape: Waveshaper(shape)(x[None, None], dsp_params={})[0, 0] for shape in shapes}
    sine = torch.sin(2 * math.pi * 5000 / SAMPLE_RATE * torch.arange(SAMPLE_RATE, dtype=torch.double))[None, None]
    window = torch.signal.windows.kaiser(SAMPLE_RATE, beta=16, dtype=torch.double)
    spectra = {}
    for label, options in {"plain": (), "adaa2": ("adaa2",), "adaa2, 4 times oversampled": ("adaa2", 4)}.items():
        y = Waveshaper("hard", *options)(sine, dsp_params={"drive_db": 20.0})[0, 0]
        level = 20 * torch.log10(torch.fft.rfft(y * window).abs().clamp(min=1e-9))
        spectra[label] = level[:20000].unflatten(0, (-1, 50)).amax(1) - level.max()
    panel = lines(torch.arange(400) * 0.05, spectra, "frequency (kHz)", "level (dB)", "hard, 5 kHz, drive 20 dB")

    def draw(ax: Axes) -> None:
        panel.draw(ax)
        ax.set(ylim=(-120, 5))
        for line in ax.lines:
            line.set_linewidth(0.9)

    return [lines(x, curves, "input", "output"), replace(panel, draw=draw, width=1.3)]


def spline_distortion() -> list[Panel]:
    even = {
        "bin_gain_db": (-30, -18, -6, 0, 0, -6, -18, -30),
        "knot_gain_db": (-36, -24, -12, -3, 0, -3, -12, -24, -36),
    }
    dead = {"bin_gain_db": (0, 0, 0, -30, -30, 0, 0, 0), "knot_gain_db": (0, 0, 0, -3, -36, -3, 0, 0, 0)}
    uneven = {**even, "bin_gain_db": (0, 0, 0, 0, *even["bin_gain_db"][4:])}
    uneven["knot_gain_db"] = (0, 0, 0, 0, *even["knot_gain_db"][4:])
    settings = named({"soft clipping": even, "a dead zone": dead, "clipping of one half": uneven})
    return distortion(SplineDistortion(), settings)


def bit_crusher() -> list[Panel]:
    sine = 0.9 * torch.sin(2 * math.pi * 120 / SAMPLE_RATE * torch.arange(500, dtype=torch.double))
    settings = {"3 bits": {"bits": 3}, "held for 24.5": {"bits": 16, "downsampling": 24.5}}
    crushed = {label: BitCrusher()(sine[None, None], dsp_params=values)[0, 0] for label, values in settings.items()}
    return [lanes({"in": sine, **crushed}, 1), transfer(BitCrusher(), vary({}, {"bits": 2}, {"bits": 4}))]


PICTURES: dict[str, list[Panel]] = {
    "Waveshaper": waveshaper(),
    "TanhDistortion": distortion(
        TanhDistortion(use_bias=True),
        vary({}, {"pre_gain_db": 0}, {"pre_gain_db": 12}, {"pre_gain_db": 12, "offset": 0.5}),
    ),
    "ArctanDistortion": distortion(ArctanDistortion(), vary({}, *({"drive": drive} for drive in (0.5, 2, 10)))),
    "HardClip": distortion(HardClip(-0.4, 0.7), named({"low −0.4, high 0.7": {}})),
    "PiecewiseTanhDistortion": piecewise(),
    "PowerDistortion": series(PowerDistortion(max_order=4), POWERS),
    "ChebyshevDistortion": series(ChebyshevDistortion(max_order=6), POLYNOMIALS),
    "SplineDistortion": spline_distortion(),
    "BitCrusher": bit_crusher(),
}
