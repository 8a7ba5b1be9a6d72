"""Panels shared by several families, with their signals, levels and labels."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from grafx.processors.base import Processor
from matplotlib.axes import Axes
from plots import SAMPLE_RATE, Panel, Settings, diagram, lanes, lines, run


def numbers(values: Iterable[float]) -> str:
    return ",".join(f" {value:g}".replace("-", "−") for value in values)


def tone(oscillator: Processor, hertz: float, num_samples: int, **values: float) -> torch.Tensor:
    pitch = torch.tensor([hertz], dtype=torch.double)
    return oscillator(num_samples=num_samples, dsp_params={"frequency_hz": pitch, **values})[0, 0]


def levels(signal: torch.Tensor) -> torch.Tensor:
    """Compute the spectrum in dB of a periodic signal, relative to a sine."""
    return 20 * torch.log10((torch.fft.rfft(signal.double()).abs() / len(signal) * 2).clamp(1e-8))


def over_frequency(hertz: torch.Tensor, curves: Mapping[str, torch.Tensor], ylabel: str, title: str = "") -> Panel:
    """Plot curves over frequency on a logarithmic scale."""
    panel = lines(hertz, curves, "frequency (Hz)", ylabel, title)

    def draw(ax: Axes) -> None:
        panel.draw(ax)
        ax.set_xscale("log")
        ax.set_xticks([100, 1000, 10000], ["100", "1k", "10k"])

    return replace(panel, draw=draw)


def clicks(processor: Processor, settings: Settings, ms: float) -> Panel:
    """Plot impulse responses."""
    x = torch.eye(1, round(ms / 1000 * SAMPLE_RATE), dtype=torch.double)[None]
    heard = {setting.label: run(processor, x, setting)[0, 0] for setting in settings.each}
    return lanes({"click": x[0, 0], **{label: h / h.abs().max() for label, h in heard.items()}}, 1, "at full height")


CROSSOVERS = {"crossover0_freq": 200, "crossover1_freq": 3000}


def three_bands(node_type: str) -> Panel:
    rows = {f"band{k}": (2.1, 0.8 * (1 - k), node_type) for k in range(3)}
    nodes = {"in": (0, 0, "in"), "split": (0.9, 0, "crossover"), **rows, "+": (3.2, 0, "mix"), "out": (3.9, 0, "out")}
    edges = [("in", "split", ""), *(("split", row, "") for row in rows), *((row, "+", "") for row in rows)]
    return diagram(nodes, [*edges, ("+", "out", "")])


def by_default(processor: Processor) -> list[Panel]:
    """What goes in and comes out of any processor at its default: a sine at its first inlet, silence at the others."""
    time = torch.arange(882, dtype=torch.double) / SAMPLE_RATE
    sine = torch.sin(2 * torch.pi * 250 * time)
    inlets = {name: sine if i == 0 else torch.zeros_like(sine) for i, name in enumerate(processor.inlets)}
    signals = [signal.expand(1, 2, -1) for signal in inlets.values()]
    length = {} if signals else {"num_samples": len(sine)}
    result = processor(*signals, dsp_params={}, **length)
    parts = (
        [result] if isinstance(result, torch.Tensor) else [part for part in result if isinstance(part, torch.Tensor)]
    )
    outlets = {f"{name} out": part[0, 0] for name, part in zip(processor.outlets, parts, strict=True)}
    return [lanes({**{f"{name} in": signal for name, signal in inlets.items()}, **outlets}, len(inlets))]
