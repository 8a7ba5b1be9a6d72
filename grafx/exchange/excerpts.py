"""The sound on which graphs are compared with what they became: the loudest part of stems, or noise."""

import torch
from torch import Tensor

NOISE_DB = -20.0


def excerpt(stems: Tensor | None, inputs: int, length: int, sample_rate: int) -> Tensor:
    """The loudest part of stems ``(K, C, L)``, ``(K, C, length)`` or all of shorter ones; noise where there are none.

    Args:
        stems: Those of a graph, if there are any.
        inputs: K.
        length: In samples.
        sample_rate: In Hz.
    """
    if stems is None:
        return noise(inputs, length, sample_rate)
    begin = loudest_part(stems, length)
    return stems[..., begin : begin + length].detach().cpu().float()


def loudest_part(signals: Tensor, length: int) -> int:
    """The sample at which the loudest part of signals ``(…, L)`` together begins."""
    if signals.shape[-1] <= length:
        return 0
    energy = torch.zeros(signals.shape[-1] + 1, dtype=torch.float64)
    for signal in signals.reshape(-1, signals.shape[-1]):  # one by one, as there may be minutes of many
        energy[1:] += signal.square()
    energy = energy.cumsum(0)
    return int((energy[length:] - energy[:-length]).argmax())


def noise(number: int, length: int, sample_rate: int) -> Tensor:
    """Pink noise that fades twice a second and differs from stem to stem, ``(number, 2, length)``."""
    if not number:
        return torch.zeros(0, 2, length)
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.fft.rfft(torch.randn(number, 2, length, generator=generator))
    pink = torch.fft.irfft(spectrum / torch.arange(1, length // 2 + 2).sqrt(), length)
    swells = 10 ** (-1.5 * (torch.arange(length) / sample_rate * 2 % 1))  # from 0 to −30 dB
    return pink / pink.std() * 10 ** (NOISE_DB / 20) * swells
