"""Loudness of a song, and the reference loudness at which songs are compared."""

import math

import numpy as np
from scipy.signal import sosfilt
from torch import Tensor

REFERENCE_LUFS = -14.0
"""Reference loudness, close to that of released music."""

OFFSET = -0.691  # LUFS of a mean square of 1 after the weighting
BLOCK, HOP = 0.4, 0.1  # s
SILENT, RELATIVE = -70.0, -10.0  # gates: LUFS of a song whose peak is full scale, and LU
LARGEST_GAIN = 1e6
PIECE = 100  # hops that are filtered at once


def loudness(signal: Tensor, sample_rate: float) -> float:
    r"""Compute the integrated loudness in LUFS: the mean energy of non-silent parts, with frequency weighting.

    It follows ITU-R BS.1770 except for the absolute gate: blocks count from 70 LU below full scale, where full scale is
    the peak of the signal. So a level lower by n dB is a loudness lower by n LU, however quiet the signal. A signal
    shorter than a block of 0.4 s is one block.

    Args:
        signal: ``(channels, samples)``, mono or stereo.
        sample_rate: In Hz.

    Returns:
        The loudness; −∞ for silence.

    References:
        Recommendation ITU-R BS.1770-5, 2023; the weighting at other rates than 48 kHz by the bilinear transform of its
        analog prototypes.
    """
    peak = signal.detach().abs().max().item() if signal.numel() else 0.0
    if not peak or not math.isfinite(peak):
        return -math.inf
    powers = _block_powers(signal.detach().cpu(), peak, sample_rate)
    with np.errstate(divide="ignore"):
        levels = OFFSET + 10 * np.log10(powers)
    loud = powers[levels > SILENT]
    if loud.size:
        gate = OFFSET + 10 * math.log10(loud.mean()) + RELATIVE
        powers = powers[levels > max(gate, SILENT)]
    power = powers.mean()
    return OFFSET + 10 * math.log10(power) + 20 * math.log10(peak) if power > 0 else -math.inf


def reference_gain(signal: Tensor, sample_rate: float) -> float:
    """Return the factor that brings a signal to :data:`REFERENCE_LUFS`, between −120 and 120 dB; 1 for silence."""
    lufs = loudness(signal, sample_rate)
    gain = 10 ** ((REFERENCE_LUFS - lufs) / 20) if math.isfinite(lufs) else 1.0
    return min(max(gain, 1 / LARGEST_GAIN), LARGEST_GAIN)


def _block_powers(signal: Tensor, peak: float, sample_rate: float) -> np.ndarray:
    """Compute mean squares, summed over channels, of weighted blocks that overlap by three quarters."""
    hop = max(1, round(HOP * sample_rate))
    sections = _weighting(sample_rate)
    state = np.zeros((len(sections), signal.shape[0], 2))
    energies = []
    for piece in signal.split(PIECE * hop, -1):  # in pieces, as float64 of a whole song takes memory
        weighted, state = sosfilt(sections, piece.double().numpy() / peak, -1, state)
        squares = np.square(weighted).sum(0)
        energies.append(np.add.reduceat(squares, np.arange(0, len(squares), hop)))
    hops, length = np.concatenate(energies), signal.shape[-1]
    num_hops = round(BLOCK / HOP)
    if length < num_hops * hop:
        return hops.sum(keepdims=True) / length
    whole = hops[: length // hop]  # an incomplete block does not count
    return np.convolve(whole, np.ones(num_hops), "valid") / (num_hops * hop)


def _weighting(sample_rate: float) -> np.ndarray:
    """Design the weighting, a high shelf for the head and a high-pass, as second-order sections."""
    shelf, highpass = (1681.974450955533, 0.7071752369554196), (38.13547087602444, 0.5003270373238773)
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    sections = []
    for (hertz, q), (b2, b1, b0) in ((shelf, (1, band, high)), (highpass, (0, 0, 1))):
        k = math.tan(math.pi * min(hertz / sample_rate, 0.45))
        norm = 1 + k / q + k * k
        # b0 s² + b1 s / q + b2 with s = (1 − z⁻¹) / k (1 + z⁻¹), over s² + s / q + 1
        numerator = (b0 + b1 * k / q + b2 * k * k, 2 * (b2 * k * k - b0), b0 - b1 * k / q + b2 * k * k)
        denominator = (norm, 2 * (k * k - 1), 1 - k / q + k * k)
        sections.append([*np.array(numerator) / norm, *np.array(denominator) / norm])
    sections[1][:3] = [1.0, -2.0, 1.0]  # the recommendation leaves the high-pass's gain as it comes
    return np.array(sections)
