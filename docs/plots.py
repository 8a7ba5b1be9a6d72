"""Kinds of plots that show the effect of a processor on a signal, each on separate axes."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import torch
from grafx.processors.base import Processor
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from grafx.draw import draw_edge, draw_node
from grafx.draw.style import EDGE_COLOR, PORT_COLOR, TEXT_COLOR, is_round, type_color

SAMPLE_RATE = 44100
COLORS = ("#2878b5", "#d96b1f", "#1c9c86", "#b8437a")  # what nodes are filled with, dark enough for lines
QUIET = "#9ca3af"
WHOLE = (5.4, 3.0)  # inches, of a panel that has a row of its own
HALF = (3.9, 3.2)  # of one of two side by side, which are one above the other where there is no room
SMALL = (2.4, 1.75)
MOST_IN_BOX = 5  # letters of a line in a block diagram, at full size
LETTERS = 12.5  # of a legend, in an inch
REACH = 2.3  # of a goniometer
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "grafx",
    "font.size": 8.5,
    "axes.labelcolor": TEXT_COLOR,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.7,
    "text.color": TEXT_COLOR,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": PORT_COLOR,
    "ytick.labelcolor": PORT_COLOR,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
}
UNITS = {"db": "dB", "hz": "Hz", "ms": "ms", "s": "s"}
LOUDNESS = LinearSegmentedColormap.from_list("loudness", ["#ffffff", "#93c5ea", "#2878b5", "#12263f"])


class Setting(NamedTuple):
    """Label of a curve, and the arguments of the processor."""

    label: str
    arguments: dict[str, Any]


class Settings(NamedTuple):
    """Curves of a plot, with their common settings."""

    title: str
    each: list[Setting]


@dataclass(frozen=True)
class Panel:
    """Axes: their content, its description, and their relative width."""

    draw: Callable[[Axes], None]
    text: str
    width: float = 1.0


def vary(common: Mapping[str, Any], *different: Mapping[str, Any]) -> Settings:
    """Combine physical values of controls shared by all curves and those of each."""
    return Settings(words(common), [Setting(words(own), {"dsp_params": {**common, **own}}) for own in different])


def named(settings: Mapping[str, Mapping[str, Any]], title: str = "") -> Settings:
    """Make settings from physical values of controls, for each label."""
    return Settings(title, [Setting(label, {"dsp_params": values}) for label, values in settings.items()])


def words(values: Mapping[str, Any]) -> str:
    """Format controls for labels: ``"threshold −20 dB, ratio 4"``."""
    return ", ".join(_word(name, value) for name, value in values.items())


def _word(name: str, value: Any) -> str:
    stem, _, suffix = name.rpartition("_")
    unit = UNITS.get(suffix) if stem else None
    numbers = list(value) if isinstance(value, Sequence | np.ndarray | Tensor) else [value]
    if unit == "Hz" and min(numbers) >= 1000:
        numbers, unit = [number / 1000 for number in numbers], "kHz"
    text = ", ".join(f"{number:g}".replace("-", "−") for number in numbers)
    name = ("Q" if name == "q" else name) if unit is None else stem
    return f"{name.replace('_', ' ')} {text}" + (f" {unit}" if unit else "")


def describe(name: str, panel: Panel) -> str:
    """Make the alternative text of a picture."""
    return f"{name}: {panel.text}."


def alone(panel: Panel, inches: tuple[float, float]) -> str:
    """Draw one panel with its legend, as SVG."""
    with rc_context(STYLE):
        figure = Figure(inches, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
        panel.draw(figure.subplots())
        return _svg(figure)


def small(panel: Panel) -> str:
    """Draw one panel without its legend, as SVG."""
    with rc_context({**STYLE, "font.size": 6.5, "lines.linewidth": 1.2}):
        figure = Figure(SMALL, layout="constrained")
        ax = figure.subplots()
        panel.draw(ax)
        if ax.get_legend():
            ax.get_legend().remove()
        return _svg(figure)


def _svg(figure: Figure) -> str:
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def magnitude(processor: Processor, settings: Settings, low: float = -30, high: float = 20) -> Panel:
    """Plot gain over frequency of a linear processor."""

    def draw(ax: Axes) -> None:
        for color, setting in _curves(settings):
            spectrum = torch.fft.rfft(impulse_response(processor, setting)[0]).abs()
            ax.plot(_frequencies(spectrum), _decibels(spectrum), color=color, label=setting.label)
        _frequency_axis(ax)
        ax.set(ylim=(low, high), ylabel="gain (dB)")
        _legend(ax, settings)

    return Panel(draw, _text("gain in dB over frequency", settings))


def outlet_magnitudes(processor: Processor, setting: Setting, labels: Sequence[str]) -> Panel:
    """Plot gain over frequency of each outlet, and of their sum."""
    settings = Settings(setting.label, [Setting(label, {}) for label in (*labels, "sum")])

    def draw(ax: Axes) -> None:
        x = torch.zeros(1, 1, 2**15, dtype=torch.double)
        x[..., 0] = 1
        with torch.no_grad():
            outlets = torch.stack(processor(x, **setting.arguments))[:, 0, 0]
        for color, h in zip((*COLORS[: len(labels)], QUIET), (*outlets, outlets.sum(0)), strict=True):
            spectrum = torch.fft.rfft(h)
            ax.plot(_frequencies(spectrum), _decibels(spectrum), color=color)
        for line, (label, _) in zip(ax.lines, settings.each, strict=True):
            line.set_label(label)
        _frequency_axis(ax)
        ax.set(ylim=(-48, 6), ylabel="gain (dB)")
        _legend(ax, settings)

    return Panel(draw, _text("gain in dB over frequency", settings))


def z_plane(settings: Settings, sample_rate: float = SAMPLE_RATE) -> Panel:
    """Plot the poles and zeros of a filter whose controls are radii and frequencies."""

    def draw(ax: Axes) -> None:
        turn = np.linspace(0, 2 * np.pi, 201)
        ax.plot(np.cos(turn), np.sin(turn), color=QUIET, linewidth=1)
        for color, setting in _curves(settings):
            values = setting.arguments["dsp_params"]
            for kind, marker in (("pole", "x"), ("zero", "o")):
                angle = 2 * np.pi * values[f"{kind}_hz"] / sample_rate * np.array([1, -1])
                place = values[f"{kind}_radius"] * np.stack((np.cos(angle), np.sin(angle)))
                ax.plot(*place, marker, markersize=6, markerfacecolor="none", markeredgewidth=1.4, color=color)
        ax.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal", xlabel="real (× pole, ○ zero)", ylabel="imaginary")

    return Panel(draw, "poles and zeros in the z-plane", 0.75)


def phase(processor: Processor, settings: Settings) -> Panel:
    """Plot phase over frequency of a linear, causal processor."""

    def draw(ax: Axes) -> None:
        for color, setting in _curves(settings):
            spectrum = torch.fft.rfft(impulse_response(processor, setting, lookahead=False)[0])
            degrees = np.degrees(np.unwrap(spectrum.angle().numpy()))
            ax.plot(_frequencies(spectrum), degrees, color=color, label=setting.label)
        _frequency_axis(ax)
        ax.set(ylabel="phase (°)", yticks=range(-360, 1, 90))
        _legend(ax, settings)

    return Panel(draw, _text("phase in degrees over frequency", settings))


def static_curve(processor: Processor, settings: Settings, low: float = -80, high: float = 0) -> Panel:
    """Plot the output level of a dynamic range processor over a steady input level."""

    def draw(ax: Axes) -> None:
        levels = torch.linspace(low, 0, 201, dtype=torch.double)
        x = 10 ** (levels / 20).reshape(-1, 1, 1).expand(-1, 1, 3000)
        ax.plot((low, 0), (low, 0), color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        for color, setting in _curves(settings):
            ax.plot(levels, _decibels(run(processor, x, setting)[:, 0, -1]), color=color, label=setting.label)
        ax.set(xlim=(low, 0), ylim=(low, high), xlabel="input (dB)", ylabel="output (dB)")
        _legend(ax, settings)

    return Panel(draw, _text("output level over input level", settings))


def gain_over_time(processor: Processor, settings: Settings, soft: float, loud: float, loud_ms: float = 150) -> Panel:
    """Plot the gain of a dynamic range processor for a steady signal that gets loud for a while."""
    before, shown = 300, (-50, 400)

    def draw(ax: Axes) -> None:
        ms = torch.arange(-before, shown[1], 1000 / SAMPLE_RATE, dtype=torch.double)
        level = torch.where((ms >= 0) & (ms < loud_ms), loud, soft)
        x = (10 ** (level / 20)).reshape(1, 1, -1)
        seen = ms >= shown[0]
        ax.axvspan(0, loud_ms, color="#f1f3f6", linewidth=0)
        for color, setting in _curves(settings):
            gain = _decibels(run(processor, x, setting)[0, 0] / x[0, 0])
            ax.plot(ms[seen][::10], gain[seen][::10], color=color, label=setting.label)
        inputs = f"input {soft:g} dB, shaded {loud:g} dB".replace("-", "−")
        ax.set(xlim=shown, xlabel=f"time (ms); {inputs}", ylabel="gain (dB)")
        _legend(ax, settings)

    return Panel(draw, _text(f"gain over time while the input is at {loud:g} in place of {soft:g} dB", settings))


def following(processor: Processor, settings: Settings, levels: Mapping[float, float], end_ms: float) -> Panel:
    """Plot the response of a smoother to a signal that jumps to new levels at these milliseconds."""

    def draw(ax: Axes) -> None:
        ms = torch.arange(0, end_ms, 1000 / SAMPLE_RATE, dtype=torch.double)
        starts = torch.tensor(list(levels), dtype=torch.double)
        x = torch.tensor(list(levels.values()), dtype=torch.double)[torch.searchsorted(starts, ms, right=True) - 1]
        ax.plot(ms, x, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        for color, setting in _curves(settings):
            ax.plot(ms, run(processor, x.reshape(1, 1, -1), setting)[0, 0], color=color, label=setting.label)
        ax.set(xlabel="time (ms); input dashed", ylabel="output")
        ax.margins(x=0)
        _legend(ax, settings)

    return Panel(draw, _text("output over time for an input that jumps", settings))


def sine_gain(processor: Processor, setting: Setting, levels: Sequence[float]) -> Panel:
    """Plot the gain of steady sines over their frequency, for several levels."""
    settings = Settings(setting.label, [Setting(_word("input_db", level), setting.arguments) for level in levels])

    def draw(ax: Axes) -> None:
        hertz = torch.logspace(np.log10(20), np.log10(20000), 49, dtype=torch.double)
        sines = 2**0.5 * torch.sin(2 * torch.pi * hertz.reshape(-1, 1, 1) * torch.arange(16384) / SAMPLE_RATE)
        window = torch.hann_window(8192, dtype=torch.double)
        for (color, each), level in zip(_curves(settings), levels, strict=True):
            x = 10 ** (level / 20) * sines
            amplitudes = [(signal[:, 0, -8192:] * window).norm(dim=-1) for signal in (run(processor, x, each), x)]
            ax.plot(hertz, _decibels(amplitudes[0] / amplitudes[1]), color=color, label=each.label)
        _frequency_axis(ax)
        ax.set(ylabel="gain (dB)")
        _legend(ax, settings)

    return Panel(draw, _text("gain of steady sines over their frequency", settings), 1.3)


def transfer(processor: Processor, settings: Settings, reach: float = 2.0, high: float = 1.5) -> Panel:
    """Plot output over input of a memoryless processor."""

    def draw(ax: Axes) -> None:
        x = torch.linspace(-reach, reach, 401, dtype=torch.double)
        ax.plot((-reach, reach), (-reach, reach), color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        for color, setting in _curves(settings):
            ax.plot(x, run(processor, x.reshape(1, 1, -1), setting)[0, 0], color=color, label=setting.label)
        ax.set(xlim=(-reach, reach), ylim=(-high, high), xlabel="input", ylabel="output")
        _legend(ax, settings)

    return Panel(draw, _text("output over input", settings))


def harmonics(processor: Processor, settings: Settings, amplitude: float = 1.0, highest: int = 10) -> Panel:
    """Plot the spectrum of a distorted sine at 1 kHz."""
    floor, sine = -80, f"a sine at 1 kHz, amplitude {amplitude:g}"

    def draw(ax: Axes) -> None:
        time = torch.arange(SAMPLE_RATE // 10, dtype=torch.double) / SAMPLE_RATE
        x = amplitude * torch.sin(2 * torch.pi * 1000 * time).reshape(1, 1, -1)
        middle = (len(settings.each) - 1) / 2
        for i, (color, setting) in enumerate(_curves(settings)):
            spectrum = torch.fft.rfft(run(processor, x, setting)[0, 0]).abs() / len(time) * 2
            levels = _decibels(spectrum[::100][: highest + 1])
            place = np.arange(highest + 1) + 0.2 * (i - middle)
            seen = levels > floor
            ax.vlines(place[seen], floor, levels[seen], color=color, linewidth=1.2)
            ax.plot(place[seen], levels[seen], "o", markersize=3, color=color, label=setting.label)
        ax.set(xlim=(-0.6, highest + 0.6), ylim=(floor, 12), xlabel=f"frequency (kHz) of {sine}", ylabel="level (dB)")
        ax.set_xticks(range(0, highest + 1, 2))
        _legend(ax, settings)

    return Panel(draw, _text(f"spectrum of {sine}", settings))


def waveform(processor: Processor, settings: Settings, seconds: float, sample_rate: float = SAMPLE_RATE) -> Panel:
    """Plot impulse responses in lanes, the first one at the bottom."""

    def draw(ax: Axes) -> None:
        num_samples = round(seconds * sample_rate)
        for color, setting in _curves(settings):
            h = impulse_response(processor, setting, num_samples, channels=2, lookahead=False)[0]
            columns = h[: num_samples // 400 * 400].reshape(400, -1)
            ms = np.arange(400) * columns.shape[1] / sample_rate * 1000
            ax.fill_between(ms, columns.amin(1), columns.amax(1), color=color, linewidth=0.7, label=setting.label)
        ax.set(xlim=(0, 1000 * seconds), xlabel="time (ms)", ylabel="impulse response")
        _legend(ax, settings)

    return Panel(draw, _text("impulse response", settings))


def spectrogram(
    processor: Processor, settings: Settings, seconds: float, sample_rate: float = SAMPLE_RATE, index: int = 0
) -> Panel:
    """Plot the spectrogram of the left impulse response of one setting."""
    setting = settings.each[index]

    def draw(ax: Axes) -> None:
        num_samples = round(seconds * sample_rate)
        h = impulse_response(processor, setting, num_samples, channels=2, lookahead=False)[0]
        frames = torch.stft(h, 512, 128, window=torch.hann_window(512).to(h), return_complex=True)
        levels = _decibels(frames.abs() / frames.abs().max())
        extent = (0, 1000 * seconds, 0, sample_rate / 2000)
        place = {"extent": extent, "origin": "lower", "aspect": "auto", "interpolation": "bilinear"}
        image = ax.imshow(levels, cmap=LOUDNESS, vmin=-80, vmax=0, **place)
        ax.set(xlabel="time (ms)", ylabel="frequency (kHz)", yticks=range(0, int(sample_rate / 2000) + 1, 5))
        ax.grid(False)
        bar = ax.figure.colorbar(image, ax=ax, label="level (dB)", ticks=(-80, -60, -40, -20, 0), aspect=30, pad=0.02)
        bar.outline.set_visible(False)
        ax.set_title(setting.label, fontsize=8, loc="left")

    return Panel(draw, f"spectrogram of the left impulse response for {setting.label}")


def noise_spectrogram(
    processor: Processor, setting: Setting, seconds: float, highest: float, n_fft: int = 1024, rows: int = 24
) -> Panel:
    """Plot the mean power of white noise over time and frequency, relative to the loudest."""

    def draw(ax: Axes) -> None:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(rows, 1, round(seconds * SAMPLE_RATE), generator=generator)
        window = torch.hann_window(n_fft)
        y = run(processor, x, setting)[:, 0]
        power = torch.stft(y, n_fft, n_fft // 4, window=window, return_complex=True).abs().square().mean(0)
        shown = power[: math.ceil(highest / SAMPLE_RATE * n_fft) + 1]
        levels = 10 * torch.log10(shown / shown.max())
        extent = (0, seconds, 0, (len(shown) - 1) * SAMPLE_RATE / n_fft / 1000)
        place = {"extent": extent, "origin": "lower", "aspect": "auto", "interpolation": "bilinear"}
        image = ax.imshow(levels, cmap=LOUDNESS, vmin=-24, vmax=0, **place)
        ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
        ax.grid(False)
        bar = ax.figure.colorbar(image, ax=ax, label="level (dB)", ticks=(-24, -12, 0), aspect=30, pad=0.02)
        bar.outline.set_visible(False)
        ax.set_title(setting.label, fontsize=8, loc="left")

    return Panel(draw, f"spectrogram of noise for {setting.label}")


def goniometer(processor: Processor, settings: Settings) -> Panel:
    """Plot a goniometer: a stereo signal between left, right, mid and side."""

    def draw(ax: Axes) -> None:
        x = stereo_noise(500)
        ax.plot((-REACH, REACH), (-REACH, REACH), (REACH, -REACH), (-REACH, REACH), color=QUIET, linewidth=0.7)
        for color, setting in _curves(settings):
            left, right = run(processor, x, setting)[0]
            points = torch.stack((right - left, left + right)) / 2**0.5
            ax.plot(*points, ".", markersize=1.6, alpha=0.35, markeredgewidth=0, color=color)
            ax.plot(*_ellipse(points), color=color, label=setting.label)
        for x_text, name, side in ((-0.8 * REACH, "left", "left"), (0.8 * REACH, "right", "right")):
            ax.text(x_text, 0.97 * REACH, name, ha=side, va="top", fontsize="small", color=PORT_COLOR)
        ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[0], yticks=[0])
        ax.set(xlabel="side", ylabel="mid")
        ax.tick_params(labelbottom=False, labelleft=False)
        _legend(ax, settings)

    return Panel(draw, _text("mid over side of stereo noise", settings), 0.8)


def lanes(signals: Mapping[str, Tensor], num_inputs: int, title: str = "") -> Panel:
    """Plot short signals in lanes, the inputs first."""

    def draw(ax: Axes) -> None:
        for row, signal in enumerate(signals.values()):
            color = PORT_COLOR if row < num_inputs else COLORS[(row - num_inputs) % len(COLORS)]
            ax.axhline(-row, color="#e5e7eb", linewidth=0.7)
            ax.plot(torch.arange(len(signal)) / SAMPLE_RATE * 1000, 0.45 * signal - row, color=color)
        if num_inputs:
            ax.axhline(0.5 - num_inputs, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
        ax.set(yticks=-np.arange(len(signals)), ylim=(-len(signals) + 0.4, 0.6), xlabel="time (ms)")
        ax.set_yticklabels(signals)
        ax.margins(x=0)
        ax.grid(False)
        ax.tick_params(axis="y", length=0)
        ax.set_title(title, fontsize=8, loc="left")

    names = list(signals)
    inputs = f"{', '.join(names[:num_inputs])}, and of " if num_inputs else ""
    return Panel(draw, f"waveforms of {inputs}{', '.join(names[num_inputs:])}")


def lines(x: Sequence[float], y: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, title: str = "") -> Panel:
    """Plot any curves over a variable."""
    settings = Settings(title, [Setting(label, {}) for label in y])

    def draw(ax: Axes) -> None:
        for color, (label, values) in zip(COLORS, y.items(), strict=False):
            ax.plot(x, values, color=color, label=label)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.margins(x=0)
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 2.5, 5, 10)))
        _legend(ax, settings)

    return Panel(draw, _text(f"{ylabel} over {xlabel}", settings))


def diagram(
    nodes: Mapping[str, tuple[float, float, str]], edges: Sequence[tuple[str, str, str]], width: float = 0.9
) -> Panel:
    """Draw a block diagram.

    Args:
        nodes: Name to place, in steps, and type, with its colour as in drawings of graphs.
        edges: Names of connected nodes, and the label of the edge.
        width: Width relative to other panels.
    """
    graph = nx.MultiDiGraph()
    graph.add_nodes_from((name, {"node_type": node_type}) for name, (_, _, node_type) in nodes.items())
    centers = {name: (46 * x, 34 * y) for name, (x, y, _) in nodes.items()}
    sizes = {name: (18, 18) if is_round(node_type) else (30, 20) for name, (_, _, node_type) in nodes.items()}

    def draw(ax: Axes) -> None:
        for name, (_, _, node_type) in nodes.items():
            inside = "" if is_round(node_type) and node_type != "mix" else name
            fitting = min(1, MOST_IN_BOX / max(1, *map(len, inside.split("\n"))))
            options = {"inside_fontsize": 0.85 * fitting * ax.xaxis.label.get_fontsize()}
            draw_node(ax, graph, name, centers[name], sizes[name], type_color(node_type), inside, "", **options)
        starts = [start for start, _, _ in edges]
        for start, end, label in edges:
            (x, y), (u, v) = centers[start], centers[end]
            points = [(x + sizes[start][0] / 2, y), (u - sizes[end][0] / 2, v)]
            draw_edge(ax, graph, (start, end, starts.index(start)), points)
            # Beside a curve's end that no other edge shares, and below a straight line.
            fans_out = starts.count(start) > 1
            near = 0.75 if fans_out and (y != v or len(edges) > 3) else 0.5 if y == v else 0.25
            above = (v > y if fans_out else y >= v) and near != 0.5
            place = (
                points[0][0] + near * (points[1][0] - points[0][0]),
                (y if near <= 0.5 else v) + (4 if above else -4),
            )
            ax.text(*place, label, ha="center", va="bottom" if above else "top", color=EDGE_COLOR)
        columns, rows = zip(*centers.values(), strict=True)
        ax.set(xlim=(min(columns) - 20, max(columns) + 20), ylim=(min(rows) - 24, max(rows) + 24), aspect="equal")
        ax.set_axis_off()

    blocks = [name.replace("\n", " ") for name, (_, _, node_type) in nodes.items() if not is_round(node_type)]
    return Panel(draw, f"block diagram of {', '.join(blocks)}", width)


def run(processor: Processor, x: Tensor, setting: Setting) -> Tensor:
    """Return the first output of a processor."""
    with torch.no_grad():
        y = processor(x, **setting.arguments)
    return y if isinstance(y, Tensor) else y[0]


def impulse_response(
    processor: Processor, setting: Setting, num_samples: int = 2**15, channels: int = 1, lookahead: bool = True
) -> Tensor:
    """Compute the impulse response for all channels, ``(channels, num_samples)``; with look-ahead, it is centred."""
    x = torch.zeros(1, channels, num_samples, dtype=torch.double)
    x[..., num_samples // 2 if lookahead else 0] = 1
    return run(processor, x, setting)[0]


def _curves(settings: Settings) -> zip:
    return zip(COLORS, settings.each, strict=False)


def _frequencies(spectrum: Tensor) -> np.ndarray:
    return np.linspace(0, SAMPLE_RATE / 2, len(spectrum))


def _decibels(amplitude: Tensor) -> Tensor:
    return 20 * torch.log10(amplitude.abs().clamp(min=1e-10))


def _frequency_axis(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set(xlim=(20, 20000), xlabel="frequency (Hz)")
    ax.set_xticks([100, 1000, 10000], ["100", "1k", "10k"])
    ax.grid(which="minor", axis="x", linewidth=0.4)


def _legend(ax: Axes, settings: Settings) -> None:
    """Place the legend above the axes, where it hides nothing."""
    labels = [setting.label for setting in settings.each]
    room = round(LETTERS * ax.figure.get_figwidth())
    columns = max(1, min(len(labels), room // (max(map(len, labels)) + 7)))
    handles, said = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        [textwrap.fill(label, room - 6) for label in said],
        title="\n".join(textwrap.wrap(settings.title, room)) or None,
        alignment="left",
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        borderpad=0.2,
        handlelength=1.4,
        columnspacing=1.4,
    )


def _text(what: str, settings: Settings) -> str:
    labels = "; ".join(setting.label for setting in settings.each)
    return f"{what} for {labels}" + (f", each with {settings.title}" if settings.title else "")


def stereo_noise(num_samples: int) -> Tensor:
    """Make noise ``(1, 2, num_samples)``, louder in the middle than at the sides."""
    generator = torch.Generator().manual_seed(0)
    mid, side = torch.randn(2, num_samples, generator=generator, dtype=torch.double)
    return torch.stack((mid + 0.6 * side, mid - 0.6 * side))[None] / 2**0.5 * 0.8


def _ellipse(points: Tensor) -> np.ndarray:
    """Make an ellipse of two standard deviations around the origin."""
    angle = np.linspace(0, 2 * np.pi, 101)
    values, vectors = np.linalg.eigh(np.cov(points.numpy()))
    return vectors @ (2 * np.sqrt(values.clip(0))[:, None] * np.stack((np.cos(angle), np.sin(angle))))
