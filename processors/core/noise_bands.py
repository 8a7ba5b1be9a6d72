"""Splitting of noise and other signals into bands."""

import math

import numpy as np
import torch
from torch import Tensor

from .crossover_responses import linkwitz_riley, split_bands
from .scale import from_scale, to_scale

OCTAVES = 31.5, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0  # Hz
LOWEST, HIGHEST = 12.0, 18000.0  # Hz, below and above which lie the outer two bands
NEAR_NYQUIST = 0.999


def fixed_noise(num_channels: int, num_samples: int) -> Tensor:
    """Return uniform noise from −1 to 1, the same in every process, ``(channels, samples)`` of up to two channels."""
    noise = np.random.RandomState(0).uniform(size=(2, num_samples)) * 2 - 1
    return torch.from_numpy(noise[:num_channels])


def apply_linkwitz_riley(
    input_audio: Tensor,
    num_bands: int = 2,
    f_min: float = 40,
    f_max: float | None = None,
    scale: str = "bark_traunmuller",
    sr: float = 44100,
    zerophase: bool = True,
    order: int = 2,
) -> Tensor:
    """Split signals by a crossover network, see :func:`~grafx.processors.core.crossover.linkwitz_riley`.

    Args:
        input_audio: ``(…, L)``.
        num_bands: K, equally wide on the scale.
        f_min: Lower end of the divided range, in Hz; the lowest band extends below it.
        f_max: Upper end of that range; half the sample rate if ``None``. The highest band extends above it.
        scale: One of :class:`~grafx.processors.core.filterbank.TriangularFilterBank`.
        sr: Sample rate in Hz.
        zerophase: Split without phase shifts.
        order: Order of the Butterworth filters.

    Returns:
        ``(…, K, L)``.

    Raises:
        ParameterError: An unknown scale, or a frequency that is not below half the sample rate.
    """
    signals = torch.as_tensor(input_audio)
    low, high = (to_scale(float(f), scale) for f in (f_min, sr / 2 if f_max is None else f_max))
    edges = from_scale(np.linspace(low, high, num_bands + 1), scale)[1:-1]
    return split_bands(
        signals, linkwitz_riley(edges.tolist(), sr, order, signals.shape[-1], zerophase).to(_complex(signals))
    )


def get_filtered_noise(
    fir_len: int,
    num_channels: int = 1,
    num_bands: int = 12,
    f_min: float = 31.5,
    f_max: float = 16000,
    scale: str = "log",
    sr: float = 44100,
    zerophase: bool = True,
    order: int = 2,
) -> Tensor:
    """Return :func:`fixed_noise` in bands ``(channels, K, fir_len)``, see :func:`apply_linkwitz_riley`."""
    noise = fixed_noise(num_channels, fir_len)
    return apply_linkwitz_riley(noise, num_bands, f_min, f_max, scale, sr, zerophase, order)


def octave_band_filterbank(num_taps: int, sample_rate: float) -> Tensor:
    """Design linear-phase filters for ten octaves from 31.5 Hz to 16 kHz, and for the bands below and above.

    Args:
        num_taps: An odd number.
        sample_rate: In Hz.

    Returns:
        ``(12, 1, num_taps)``, windowed as by ``scipy.signal.firwin``.
    """
    import scipy.signal  # it takes a second

    highest = NEAR_NYQUIST * sample_rate / 2
    bands = [(f / math.sqrt(2), min(f * math.sqrt(2), highest)) for f in OCTAVES]
    design = [(LOWEST, "lowpass"), *((band, "bandpass") for band in bands), (HIGHEST, "highpass")]
    filters = [scipy.signal.firwin(num_taps, edge, fs=sample_rate, pass_zero=kind) for edge, kind in design]
    return torch.from_numpy(np.stack(filters)).float().unsqueeze(1)


def _complex(signals: Tensor) -> torch.dtype:
    return torch.promote_types(signals.dtype, torch.complex32)
