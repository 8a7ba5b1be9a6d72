"""Pictures of delays."""

import numpy as np
import torch
from grafx.processors import DelayLine, FeedbackDelay, MultitapDelay, PingPongDelay
from plots import SAMPLE_RATE, Panel, lanes, lines, named, spectrogram, vary, waveform


def delay_line() -> list[Panel]:
    time = torch.arange(7056, dtype=torch.double) / SAMPLE_RATE
    pulses = torch.cos(2 * torch.pi * 62.5 * time).clamp(min=0) ** 100
    swing = torch.sin(2 * torch.pi * 12.5 * time)
    heard = DelayLine()(pulses[None, None], 8 * swing[None, None], dsp_params={"delay_ms": 8})[0, 0]
    impulse, gains = torch.eye(1, 1024, dtype=torch.double)[None], {}
    for kind in ("linear", "cubic", "allpass"):
        y = DelayLine(interpolation=kind)(impulse, dsp_params={"delay_ms": 10.5e3 / SAMPLE_RATE})
        gains[kind] = 20 * torch.log10(torch.fft.rfft(y[0, 0]).abs()[:-20])
    hertz = torch.arange(493) * SAMPLE_RATE / 1024
    return [
        lanes({"in": pulses, "time": swing, "out": heard}, 2, "delay 8 ms, and ±8 ms at the inlet time"),
        lines(hertz / 1000, gains, "frequency (kHz)", "gain (dB)", "10½ samples late"),
    ]


def echo() -> list[Panel]:
    settings = vary({"time_ms": 150, "high_cut_hz": 3000}, {"feedback": 0.7}, {"feedback": -0.7, "low_cut_hz": 500})
    return [waveform(FeedbackDelay(), settings, 1), spectrogram(FeedbackDelay(), settings, 1)]


def ping_pong() -> list[Panel]:
    time = torch.arange(35280, dtype=torch.double) / SAMPLE_RATE
    hit = torch.sin(2 * torch.pi * 100 * time) * torch.exp(-60 * time)
    panels = []
    for entrance, x in (("mono", hit[None, None]), ("stereo", torch.stack((hit, 0.5 * hit))[None])):
        processor = PingPongDelay(entrance=entrance)
        left, right = processor(x, dsp_params={"time_ms": 150, "feedback": 0.75, "high_cut_hz": 3000})[0]
        names = ("in",) if entrance == "mono" else ("left in", "right in")
        signals = {**dict(zip(names, x[0], strict=True)), "left": left, "right": right}
        panels.append(lanes(signals, len(names), f"entrance {entrance}, time 150 ms, feedback 0.75"))
    return panels


def multitap() -> list[Panel]:
    taps, treble = np.arange(20)[:, None], np.linspace(0, 1, 20)
    color = np.tile((-2 * taps - 4 * taps * treble).clip(-60), (2, 1))  # softer and duller
    times = {"delays 50, 10, 35 and 60 ms in turns": (50.0, 10.0, 35.0, 60.0), "delays 30 ms": (30.0,)}
    settings = named(
        {label: {"delay_ms": np.resize(each, 40), "color_db": color} for label, each in times.items()},
        "20 segments of 68 ms",
    )
    return [waveform(MultitapDelay(), settings, 1.36), spectrogram(MultitapDelay(), settings, 1.36)]


PICTURES: dict[str, list[Panel]] = {
    "DelayLine": delay_line(),
    "FeedbackDelay": echo(),
    "PingPongDelay": ping_pong(),
    "MultitapDelay": multitap(),
}
