"""Initial parameters of a search: a console at the right levels with little other effect."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from ... import trees
from ...data import GRAFX
from ...parameters.tensors import shape_of
from ...processors.contract import contract_of
from ..loudness import reference_gain
from .console import console_processors
from .mixer import THRESHOLD, WEIGHT

INITIAL_WEIGHTS = {"delay": 0.1, "reverb": 0.1, "gain": 0.99}
"""Dry/wet weights: low if the dry signal would be masked, high if the level depends on it, 0.9 for all others."""

INITIAL_VALUES: dict[str, float | tuple[float, ...]] = {
    "log_threshold": 0.0,
    "log_ratio": -1.0,
    "log_knee": 0.0,
    "z_alpha_pre": (6.1, 8.4),  # attack 10 ms and release 100 ms at 44.1 kHz
}
"""Raw parameters that do not start at zero."""

LOG_GAIN_RANGE = math.log(1e-2), math.log(10.0)


def set_initial_parameters(
    G: GRAFX,
    stems: Tensor,
    mix: Tensor,
    seed: int,
    sample_rate: float = 44100,
    processors: Mapping[str, nn.Module] | None = None,
) -> None:
    """Set the initial raw parameters and dry/wet weight of every processor.

    Equalizers are flat, dynamics gentle, delays random in their segments. The gains of stems are those of
    :func:`nearest_log_gains`. Thresholds correspond to stems, or a mix, at −14 LUFS. Other processors than those of a
    full chain start at the defaults of their controls or, without any, close to raw zeros.

    Args:
        G: A console, changed in place.
        stems: ``(K, 2, L)``, in the order of the ``in`` nodes.
        mix: ``(2, L)``.
        seed: Seed of random parameters.
        sample_rate: In Hz.
        processors: Node type to processor, where there are others than those of a console.
    """
    stem_rise, mix_rise = (2 * math.log(reference_gain(x, sample_rate)) for x in (stems.sum(0), mix))
    generator = torch.Generator().manual_seed(seed)
    full = console_processors()
    processors = full if processors is None else processors
    names = [data["name"] for _, data in sorted(G.nodes(data=True)) if data["node_type"] == "in"]
    log_gains = dict(zip(names, nearest_log_gains(stems, mix), strict=True))
    for _, data in sorted(G.nodes(data=True)):
        node_type = data["node_type"]
        if node_type not in processors:
            continue
        data["parameters"] = _initials(processors[node_type], full.get(node_type), generator)
        data[WEIGHT] = INITIAL_WEIGHTS.get(node_type, 0.9)
        if "log_gain" in data["parameters"] and node_type == "gain" and data["owner"] in log_gains:
            data["parameters"]["log_gain"] = log_gains[data["owner"]]
        if THRESHOLD in data["parameters"]:
            data["parameters"][THRESHOLD] -= stem_rise if data["owner"] in log_gains else mix_rise


def nearest_log_gains(stems: Tensor, mix: Tensor) -> Tensor:
    """Compute the log gains with which the power spectrograms of the stems add up to nearly that of the mix.

    Powers rather than samples are compared because effects shift phases. Gains are limited to −40 and +20 dB.

    Args:
        stems: ``(K, 2, L)``.
        mix: ``(2, L)``.

    Returns:
        ``(K, 2)``, one for each channel, found by non-negative least squares.
    """
    from scipy.optimize import nnls

    log_gains = []
    for sources, target in zip(stems.unbind(1), mix, strict=True):
        wanted = _power(target).reshape(-1)
        scale = max(wanted.max(), 1e-30)  # the solver has tolerances of its own
        solution, _ = nnls(_power(sources).reshape(len(sources), -1).T / scale, wanted / scale)
        log_gains.append(0.5 * np.log(np.maximum(solution, 1e-30)))
    return torch.tensor(np.array(log_gains).T, dtype=stems.dtype).clamp(*LOG_GAIN_RANGE)


def _power(signal: Tensor, size: int = 2048) -> np.ndarray:
    window = torch.hann_window(size, dtype=torch.float64)
    spectrum = torch.stft(signal.double(), size, size // 4, window=window, return_complex=True)
    return spectrum.abs().square().numpy()


def _initials(processor: nn.Module, usual: Any, generator: torch.Generator) -> dict[str, Any]:
    contract = contract_of(processor)
    sizes = contract.parameter_size()
    if usual is not None and sizes == usual.parameter_size():
        return {name: _initial(name, size, generator) for name, size in sizes.items()}
    if contract.controls:
        return trees.row(processor.dsp_to_raw({}, batch_size=1))
    return _near_zero(sizes, generator)


def _near_zero(sizes: Mapping[str, Any], generator: torch.Generator) -> dict[str, Any]:
    return {
        name: _near_zero(size, generator)
        if isinstance(size, Mapping)
        else 0.01 * torch.randn(shape_of(size), generator=generator)
        for name, size in sizes.items()
    }


def _initial(name: str, size: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name == "delay_z":
        return torch.randn(shape_of(size), generator=generator)
    return torch.tensor(INITIAL_VALUES.get(name, 0.0)).expand(shape_of(size)).clone()
