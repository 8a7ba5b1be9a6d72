"""What graphs are compared on: the loudest part of stems, or noise."""

import torch

from grafx.exchange.excerpts import excerpt, loudest_part


def test_the_loudest_part_to_the_sample():
    signals = 0.01 * torch.randn(3, 2, 5000, generator=torch.Generator().manual_seed(0))
    signals[1, :, 1234:1734] += 1.0
    assert loudest_part(signals, 500) == 1234
    signals[..., 4900:] += 10.0
    assert loudest_part(signals, 100) == 4900  # at the end
    signals[..., :100] += 20.0
    assert loudest_part(signals, 100) == 0  # at the beginning
    assert loudest_part(signals, 5000) == loudest_part(signals, 9000) == 0


def test_excerpts_are_as_the_stems_are():
    stems = torch.randn(2, 1, 700, dtype=torch.float64)
    assert torch.equal(excerpt(stems, 2, 900, 44100), stems.float())
    assert excerpt(stems, 2, 300, 44100).shape == (2, 1, 300)


def test_noise_in_place_of_stems_differs_from_stem_to_stem_and_is_always_the_same():
    noise = excerpt(None, 3, 4410, 44100)
    assert noise.shape == (3, 2, 4410) and torch.equal(noise, excerpt(None, 3, 4410, 44100))
    assert not torch.equal(noise[0], noise[1]) and noise.isfinite().all()
    assert excerpt(None, 0, 100, 44100).shape == (0, 2, 100)
