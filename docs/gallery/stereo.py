"""Pictures of panning and stereo width."""

import torch
from grafx.processors import (
    HaasEnhancer,
    MidSideToStereo,
    MonoToStereo,
    Panner,
    Send,
    SideGainImager,
    StereoGain,
    StereoToMidSide,
    StereoWidener,
)
from grafx.processors.base import Processor
from plots import SAMPLE_RATE, Panel, Setting, Settings, diagram, goniometer, lanes, lines, run, vary

from .panels import over_frequency


def burst() -> tuple[torch.Tensor, torch.Tensor]:
    """Make a left and a right signal that look different."""
    time = torch.arange(882, dtype=torch.double) / SAMPLE_RATE
    left = torch.sin(2 * torch.pi * 250 * time) * torch.exp(-150 * time)
    right = 0.7 * torch.sin(2 * torch.pi * 600 * time) * torch.sin(torch.pi * time / 0.02) ** 2
    return left, right


def stereo(processor: Processor, settings: Settings) -> list[Panel]:
    return [goniometer(processor, settings), before_and_after(processor, settings.each[-1])]


def before_and_after(processor: Processor, setting: Setting) -> Panel:
    signals = torch.stack(burst())
    left, right = run(processor, signals[None], setting)[0]
    names = ("left in", "right in", "left out", "right out")
    return lanes(dict(zip(names, (*signals, left, right), strict=True)), 2, setting.label)


def panner() -> list[Panel]:
    places = torch.linspace(-1, 1, 101, dtype=torch.double)
    x = torch.ones(101, 1, 1, dtype=torch.double)
    left, power = {}, {}
    for law in ("linear", "-4.5dB", "constant_power", "balance"):
        gains = Panner(law)(x, dsp_params={"pan": places})[..., 0]
        left[law] = 20 * torch.log10(gains[:, 0].clamp(min=1e-3))
        power[law] = 10 * torch.log10(gains.square().sum(1))
    return [lines(places, left, "pan", "gain of the left (dB)"), lines(places, power, "pan", "power of both (dB)")]


def widener() -> list[Panel]:
    hertz, impulse = torch.fft.rfftfreq(2**15, 1 / SAMPLE_RATE)[15:], torch.zeros(1, 2, 2**15, dtype=torch.double)
    impulse[..., 0] = torch.tensor([1.0, -1.0])
    widths, sides = vary({}, *({"width": width} for width in (1, 2, 0.5, 0))), {}
    for below in (60, 120, 250):
        values = {"width": 1.5, "mono_below_hz": below}
        left, right = StereoWidener(mono_bass=True)(impulse, dsp_params=values)[0]
        side = torch.fft.rfft(left - right).abs()[15:] / 2
        sides[f"mono below {below} Hz"] = 20 * torch.log10(side.clamp(min=1e-3))
    return [goniometer(StereoWidener(), widths), over_frequency(hertz, sides, "gain of the side (dB)", "width 1.5")]


def haas() -> list[Panel]:
    [late] = vary({}, {"delay_ms": 8, "gain_db": -3}).each
    hertz, impulse = torch.fft.rfftfreq(2**13, 1 / SAMPLE_RATE)[4:], torch.eye(1, 2**13, dtype=torch.double)[None]
    sums = {}
    for gain in (0, -6, -12):
        heard = HaasEnhancer()(impulse, dsp_params={"delay_ms": 1, "gain_db": gain})[0].sum(0)
        sums[f"gain {gain} dB".replace("-", "−")] = 20 * torch.log10(torch.fft.rfft(heard).abs()[4:].clamp(min=1e-2))
    return [before_and_after(HaasEnhancer(), late), over_frequency(hertz, sums, "mono sum (dB)", "delay 1 ms")]


def mono_to_stereo() -> list[Panel]:
    signal, _ = burst()
    left, right = MonoToStereo()(signal[None, None])[0]
    nodes = {"in": (0, 0, "in"), "mono to\nstereo": (1.3, 0, "gain"), "out": (2.6, 0, "out")}
    edges = [("in", "mono to\nstereo", "1"), ("mono to\nstereo", "out", "2")]
    return [lanes({"in": signal, "left out": left, "right out": right}, 1), diagram(nodes, edges)]


def stereo_to_mid_side() -> list[Panel]:
    left, right = burst()
    mid, side = (signal[0, 0] for signal in StereoToMidSide()(torch.stack((left, right))[None]))
    nodes = {"in": (0, 0, "in"), "to\nm/s": (1.3, 0, "imager"), "m": (2.8, 0.5, "out"), "s": (2.8, -0.5, "out")}
    edges = [("in", "to\nm/s", ""), ("to\nm/s", "m", "mid"), ("to\nm/s", "s", "side")]
    return [lanes({"left in": left, "right in": right, "mid out": mid, "side out": side}, 2), diagram(nodes, edges)]


def mid_side_to_stereo() -> list[Panel]:
    mid, side = burst()
    left, right = MidSideToStereo()(mid[None, None], side[None, None])[0]
    nodes = {"m": (0, 0.5, "in"), "s": (0, -0.5, "in"), "from\nm/s": (1.5, 0, "imager"), "out": (2.8, 0, "out")}
    edges = [("m", "from\nm/s", "mid"), ("s", "from\nm/s", "side"), ("from\nm/s", "out", "")]
    return [lanes({"mid in": mid, "side in": side, "left out": left, "right out": right}, 2), diagram(nodes, edges)]


def send() -> list[Panel]:
    signal, _ = burst()
    main, sent = (y[0, 0] for y in Send()(signal[None, None], dsp_params={"send_db": -9}))
    nodes = {
        "in": (0, 0, "in"),
        "send": (1, 0, "gain"),
        "fader": (2.9, 0.6, "gain"),
        "reverb": (2.9, -0.6, "reverb"),
        "+": (4.1, 0, "mix"),
        "out": (4.9, 0, "out"),
    }
    edges = [("in", "send", ""), ("send", "fader", "main"), ("send", "reverb", "send"), ("fader", "+", "")]
    edges += [("reverb", "+", ""), ("+", "out", "")]
    return [lanes({"in": signal, "main": main, "send": sent}, 1, "send −9 dB"), diagram(nodes, edges, 1.2)]


PICTURES: dict[str, list[Panel]] = {
    "StereoGain": stereo(
        StereoGain(),
        vary(
            {},
            {"left_gain_db": 0, "right_gain_db": 0},
            {"left_gain_db": -60, "right_gain_db": 0},
            {"left_gain_db": 3, "right_gain_db": -12},
        ),
    ),
    "SideGainImager": stereo(SideGainImager(), vary({}, *({"side_gain_db": gain} for gain in (0, 6, -12, -60)))),
    "Panner": panner(),
    "StereoWidener": widener(),
    "HaasEnhancer": haas(),
    "Send": send(),
    "MonoToStereo": mono_to_stereo(),
    "StereoToMidSide": stereo_to_mid_side(),
    "MidSideToStereo": mid_side_to_stereo(),
}
