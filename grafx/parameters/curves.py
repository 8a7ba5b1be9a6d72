"""Curves that show what a processor does: magnitudes of filters, static curves of dynamics, echoes of delays."""

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any, NamedTuple

import torch
import torch.nn as nn
from torch import Tensor

from .. import processors as library
from .. import trees
from ..processors.container.base import Wrapper
from ..processors.contract import contract_of, tail_of
from ..processors.core.bounds import safe_exp
from ..processors.dynamics.base import DynamicRangeProcessor, threshold
from ..processors.filter.base import RecursiveFilter
from .usual import SAMPLE_RATE

FILTERS = (
    RecursiveFilter,
    library.ZeroPhaseFIREqualizer,
    library.NewZeroPhaseFIREqualizer,
    library.FIRFilter,
    library.AllpassLattice,
    library.AllpassSmoother,
    library.SchroederAllpass,
    library.LinkwitzRileyCrossover,
    library.OnePoleSmoother,
    library.RampSmoother,
    library.StackedStateVariableFilter,
    library.ToneStack,
    library.ModalResonators,
)
DELAYS = (library.DelayLine, library.FeedbackDelay, library.MultitapDelay, library.PingPongDelay)

RESPONSE, STATIC, ECHOES = "response", "static", "echoes"
LENGTH = 2**13  # samples of a response
LONGEST = 2**19  # of echoes
SMALL = 1e-4  # a level at which what distorts loud signals is linear
LOWEST_HZ, HIGHEST_HZ, POINTS = 30.0, 18000.0, 64
LOWEST_DB = -60
MOST_LINES = 4
MOST_ECHOES = 12
FAINTEST_DB = -40.0  # below the loudest echo


class Curve(NamedTuple):
    """What a processor does.

    Attributes:
        kind: :data:`RESPONSE`, gains in dB at frequencies in Hz; :data:`STATIC`, levels of output over input in dB; or
            :data:`ECHOES`, their levels in dB relative to the loudest at their times in ms.
        lines: For each band, or outlet, its x and y.
    """

    kind: str
    lines: list[tuple[Tensor, Tensor]]


@torch.no_grad()
def curve_of(processor: nn.Module, raw: Mapping[str, Any]) -> Curve | None:
    """The curve of a processor at its raw parameters, without a batch axis; ``None`` where it has none."""
    while isinstance(processor, Wrapper):
        processor = processor.processor
    raw = trees.map_tensors(trees.batch(raw), lambda tensor: tensor.detach().cpu())
    levels = torch.arange(LOWEST_DB, 1, dtype=torch.float64)
    bands = [(levels, levels + decibels(static_gain(member, own, levels))) for _, member, own in curved(processor, raw)]
    if bands:
        return Curve(STATIC, bands[:MOST_LINES])
    if isinstance(processor, DELAYS):
        return _echoes(processor, raw)
    return Curve(RESPONSE, _responses(processor, raw)) if isinstance(processor, FILTERS) else None


def curved(processor: Any, raw: Any, name: str = "") -> Iterator[tuple[str, DynamicRangeProcessor, Any]]:
    """The processors with a static curve that one is or has, by the names of bands, with their raw parameters."""
    if isinstance(processor, DynamicRangeProcessor):
        yield name, processor, raw
        return
    for path, member in contract_of(processor).members().items():
        own = raw
        for part in path:
            own = own[part] if hasattr(own, "items") and part in own else {}
        yield from curved(member, own, " ".join((name, *path)).strip())


def static_gain(processor: DynamicRangeProcessor, raw: Mapping[str, Tensor], levels: Tensor) -> Tensor:
    """The gain at levels in dB, 10·log₁₀ of energies, that have lasted long."""
    raw = {name: value.double().cpu() for name, value in raw.items()}
    energies = 10 ** (levels[None] / 10)
    log_gain = processor.log_gain(processor.level(energies), threshold(raw), raw)
    makeup = safe_exp(raw["log_makeup"])[0] if "log_makeup" in raw else 1.0
    return log_gain.exp()[0] * makeup


def decibels(amplitudes: Tensor, floor: float = -120.0) -> Tensor:
    return 20 * amplitudes.abs().double().clamp(min=10 ** (floor / 20)).log10()


def _responses(processor: Any, raw: Mapping[str, Any]) -> list[tuple[Tensor, Tensor]]:
    rate = float(getattr(processor, "sample_rate", None) or SAMPLE_RATE)
    hertz = torch.logspace(log10(LOWEST_HZ), log10(min(HIGHEST_HZ, 0.45 * rate)), POINTS)
    bins = (hertz * LENGTH / rate).round().long()
    lines = []
    for outlet in _answers(processor, raw, LENGTH, LENGTH // 4)[:MOST_LINES]:
        magnitudes = torch.fft.rfft(outlet.double()).abs().square().mean(0).sqrt() / SMALL
        lines.append((hertz, decibels(magnitudes[bins])))
    return lines


def _echoes(processor: Any, raw: Mapping[str, Any]) -> Curve | None:
    rate = float(getattr(processor, "sample_rate", None) or SAMPLE_RATE)
    length = min(max(tail_of(processor, raw) + 1, int(0.05 * rate)), LONGEST)
    (response, *_) = _answers(processor, raw, length, 0)
    size = max(1, round(0.001 * rate))
    padded = torch.nn.functional.pad(response.double(), (0, -length % size))
    energies = padded.reshape(len(response), -1, size).square().sum((0, 2))
    before, energy, after = torch.nn.functional.pad(energies, (1, 1)).unfold(-1, 3, 1).unbind(-1)
    peaks = torch.where((energy > before) & (energy >= after), energies, 0.0)
    loudest = peaks.topk(min(MOST_ECHOES, len(peaks)))
    levels = decibels((loudest.values / loudest.values[0].clamp(min=1e-30)).sqrt())
    heard = (levels > FAINTEST_DB) & (loudest.values > 0)
    times, order = (loudest.indices[heard] * 1000 * size / rate).sort()
    return Curve(ECHOES, [(times.double(), levels[heard][order])]) if len(times) else None


def _answers(processor: Any, raw: Mapping[str, Any], length: int, place: int) -> list[Tensor]:
    """What comes out of each outlet, ``(C, length)``, for an impulse at the first inlet."""
    impulse = torch.zeros(1, 2, length)
    impulse[..., place] = SMALL
    others = [torch.zeros_like(impulse) for _ in contract_of(processor).inlets[1:]]
    output = processor(impulse, *others, **raw)
    outlets = list(output) if isinstance(output, list | tuple) else [output]
    return [outlet[0] for outlet in outlets if isinstance(outlet, Tensor)]
