"""Equalizers that are fitted to magnitudes, against SciPy."""

import numpy as np
import pytest
import torch
from scipy.signal import freqz_sos

from grafx.exchange.curves import fitted_curve

RATE, SIZE = 44100, 2**14


def noise(channels):
    return torch.randn(channels, RATE, generator=torch.Generator().manual_seed(0))


def sections(curve):
    """The formulas of the Audio EQ Cookbook."""
    rows = []
    for kind, hertz, q, db in curve.bands():
        A, w = 10 ** (db / 40), 2 * np.pi * hertz / RATE
        c, alpha = np.cos(w), np.sin(w) / 2 / q
        if kind == "peak":
            rows.append([1 + alpha * A, -2 * c, 1 - alpha * A, 1 + alpha / A, -2 * c, 1 - alpha / A])
            continue
        s, r = 1 if kind == "low shelf" else -1, 2 * np.sqrt(A) * alpha
        up, down = A + 1 - s * (A - 1) * c, A + 1 + s * (A - 1) * c
        b = [A * (up + r), 2 * s * A * (A - 1 - s * (A + 1) * c), A * (up - r)]
        rows.append([*b, down + r, -2 * s * (A - 1 + s * (A + 1) * c), down - r])
    sos = np.array(rows)
    return sos / sos[:, 3:4]


def away_db(curve, wanted, low=40, high=16000):
    hertz = np.arange(SIZE // 2 + 1) * RATE / SIZE
    _, response = freqz_sos(sections(curve), hertz, fs=RATE)
    away = 20 * np.log10(np.abs(response)) + curve.level_db - wanted
    return np.abs(away[(hertz > low) & (hertz < high)]).max()


@pytest.mark.parametrize("level", [0.0, -20.0])
def test_a_smooth_curve_is_met(level):
    hertz = np.arange(SIZE // 2 + 1) * RATE / SIZE
    octaves = np.log2(np.maximum(hertz, 1) / 1000)
    wanted = level + 9 * np.exp(-(octaves**2)) - 6 / (1 + np.exp(2 * (octaves + 2)))
    curve = fitted_curve(torch.from_numpy(10 ** (wanted / 20)), noise(2), RATE)
    assert away_db(curve, wanted) < 0.5
    assert curve.error_db < 0.1 and not curve.is_flat


def test_it_is_nearest_where_a_signal_is_at_any_time():
    """A signal that begins late counts as much as one that does not."""
    hertz = np.arange(SIZE // 2 + 1) * RATE / SIZE
    wanted = 10 * np.sin(4 * np.log2(np.maximum(hertz, 20)))  # more than ten bands can follow
    time = torch.arange(4 * RATE) / RATE
    sounds = (
        torch.sin(2 * torch.pi * 3000 * time),
        0.01 * torch.randn(4 * RATE, generator=torch.Generator().manual_seed(0)),
    )
    late = (sum(sounds) * (time > 3))[None]
    near = fitted_curve(torch.from_numpy(10 ** (wanted / 20)), late, RATE)
    far = fitted_curve(torch.from_numpy(10 ** (wanted / 20)), noise(1), RATE)
    around = {"low": 2600, "high": 3400}
    assert away_db(near, wanted, **around) < away_db(far, wanted, **around)


def test_what_is_flat_is_only_a_gain():
    curve = fitted_curve(torch.full((SIZE // 2 + 1,), 0.5), noise(2)[:, :500], RATE)
    assert curve.is_flat and curve.level_db == pytest.approx(-6.02, abs=0.01)
    assert max(map(abs, curve.db)) < 0.01


@pytest.mark.parametrize("rate", [16000, 96000])
@pytest.mark.parametrize("heard", [torch.zeros(2, 100), torch.zeros(1, 0)])
def test_silence_and_zeros_are_finite(rate, heard):
    magnitudes = torch.zeros(SIZE // 2 + 1)
    curve = fitted_curve(magnitudes, heard, rate)
    assert all(np.isfinite([*curve.hertz, *curve.q, *curve.db, curve.level_db, curve.error_db]))
