import math

import numpy as np
import pytest
import torch

from grafx.estimate.features import _GRID_AT, BANDS, COARSE, FINE_LAGS, NAMES, features, without_dry

RATE = 44100


def noise(*shape, seed=0):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def level(power):
    return (10 * math.log10(power + 1e-10) + 50) / 20


def test_features_are_finite_halves_of_one_shape_for_any_sound():
    loud, silent = noise(1, 2, 8820), torch.zeros(1, 2, 8820)
    click = torch.nn.functional.pad(torch.ones(1, 2, 1), (0, 8819))
    shapes = {name: value.shape for name, value in features(loud, loud, RATE).items()}
    for output in (loud, silent, click, 1000 * loud):
        for dry in (None, loud, silent, click):
            found = features(output, dry, RATE)
            assert tuple(found) == NAMES
            assert {name: value.shape for name, value in found.items()} == shapes
            assert all(value.dtype == torch.float16 and value.isfinite().all() for value in found.values())


def test_a_sound_has_its_features_in_any_batch():
    output, dry = noise(11, 2, 4410), noise(11, 1, 4410, seed=1)
    together = features(output, dry, RATE)
    for row in (0, 7, 10):
        alone = features(output[row : row + 1], dry[row : row + 1], RATE)
        for name in NAMES:
            torch.testing.assert_close(together[name][row], alone[name][0], atol=4e-3, rtol=2e-3)


@pytest.mark.parametrize("hertz", [200.0, 1000.0, 5000.0])
def test_a_sine_is_loudest_in_its_mel_band(hertz):
    sine = torch.sin(2 * math.pi * hertz * torch.arange(22050) / RATE).expand(1, 2, -1)
    bands = features(sine, None, RATE)["mel"][0, 1].float().mean(1)
    edges = np.linspace(2595 * np.log10(1 + 30 / 700), 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    centers = 700 * (10 ** (edges[1:-1] / 2595) - 1)
    assert abs(int(bands.argmax()) - int(np.abs(centers - hertz).argmin())) <= 1


def test_levels_are_those_of_frames():
    output = 0.25 * torch.ones(1, 2, 5120)
    levels = features(output, 2 * output, RATE)["levels"][0].float()
    assert levels[0, 5].item() == pytest.approx(level(0.25), abs=2e-3)  # of the dry sound
    assert levels[3, 5].item() == pytest.approx(level(0.0625), abs=2e-3)
    assert levels[4, 5].item() == pytest.approx(level(0.0), abs=2e-3)  # a constant has no slope


@pytest.mark.parametrize("milliseconds", [100, 250])
def test_an_echo_is_a_peak_of_the_response(milliseconds):
    dry = noise(1, 1, RATE)
    delay = milliseconds * RATE // 1000
    output = dry.clone()
    output[..., delay:] += 0.5 * dry[..., :-delay]
    coarse = features(output, dry, RATE)["response"][0, 0, FINE_LAGS:].float()
    coarse[:2] = -9  # the sound itself
    assert int(coarse.argmax()) == int(milliseconds / 1000 / COARSE)


def test_a_grid_of_few_bits_is_seen():
    output = (noise(1, 1, 8820) * 8).round() / 8
    start = _GRID_AT
    grid = features(output, None, RATE)["statistics"][0].float()
    given = features(output, output, RATE)["statistics"][0].float()
    assert given[start + 3] == 0  # steps of an eighth
    assert given[start + 1] > 0.1
    assert (grid[start : start + 16] == 0).all()  # its true level is not known without the dry sound


def test_without_the_dry_sound_nothing_of_it_nor_of_the_level_is_left():
    output, dry = noise(2, 2, 8820), noise(2, 2, 8820, seed=1)
    alone = features(output, None, RATE)
    for heard in (without_dry(features(output, dry, RATE)), without_dry(features(0.5 * output, 3 * dry, RATE))):
        for name in NAMES:
            torch.testing.assert_close(heard[name], alone[name], atol=2e-2, rtol=1e-2)
