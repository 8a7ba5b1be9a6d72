"""Auditory frequency scales, see :class:`~grafx.processors.core.filterbank.TriangularFilterBank`."""

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..arguments import check_option
from .filterbank import SCALES

Frequencies = TypeVar("Frequencies", float, np.ndarray, Tensor)


def to_scale(freqs: Frequencies, scale: str) -> Frequencies:
    """Convert frequencies in Hz to a scale.

    Raises:
        ParameterError: An unknown scale.
    """
    return _map(freqs, scale, 0)


def from_scale(freqs: Frequencies, scale: str) -> Frequencies:
    """Convert from a scale to Hz, the inverse of :func:`to_scale`."""
    return _map(freqs, scale, 1)


def hz_to_bark(freqs: Frequencies, bark_scale: str = "traunmuller") -> Frequencies:
    """Convert to the scale ``"bark_"`` + ``bark_scale``."""
    return to_scale(freqs, f"bark_{bark_scale}")


def bark_to_hz(barks: Frequencies, bark_scale: str = "traunmuller") -> Frequencies:
    """Convert from the scale ``"bark_"`` + ``bark_scale``."""
    return from_scale(barks, f"bark_{bark_scale}")


def hz_to_mel(freq: Frequencies, mel_scale: str = "htk") -> Frequencies:
    """Convert to the scale ``"mel_"`` + ``mel_scale``."""
    return to_scale(freq, f"mel_{mel_scale}")


def mel_to_hz(mels: Frequencies, mel_scale: str = "htk") -> Frequencies:
    """Convert from the scale ``"mel_"`` + ``mel_scale``."""
    return from_scale(mels, f"mel_{mel_scale}")


def hz_to_log(freqs: Frequencies) -> Frequencies:
    """Convert to natural logarithms."""
    return to_scale(freqs, "log")


def log_to_hz(logs: Frequencies) -> Frequencies:
    """Convert back, the inverse of :func:`hz_to_log`."""
    return from_scale(logs, "log")


def _map(values: Any, scale: str, direction: int) -> Any:
    check_option("scale", scale, tuple(SCALES))
    if isinstance(values, Tensor):
        mapped = SCALES[scale][direction](values.detach().cpu().double().numpy())
        return torch.as_tensor(mapped).to(values if values.is_floating_point() else torch.get_default_dtype())
    mapped = SCALES[scale][direction](np.asarray(values, dtype=float))
    return mapped if np.ndim(values) else float(mapped)
