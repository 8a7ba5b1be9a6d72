import math

import numpy as np
import pytest
import torch
from grafx.processors.core import butterworth
from scipy.signal import butter, freqz_zpk, sosfreqz
from torch.autograd import gradcheck

ANGLES = np.geomspace(1e-4, 0.999 * np.pi, 400)


def response(b, a):
    sos = torch.cat([b, a], -1).numpy()
    return sosfreqz(sos / sos[:, 3:4], ANGLES)[1]


def assert_close(b, a, edges, kind, order):
    expected = freqz_zpk(*butter(order, edges, kind, output="zpk"), ANGLES)[1]
    np.testing.assert_allclose(response(b, a), expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7, 8, 16])
@pytest.mark.parametrize("edge", [0.003, 0.1, 0.9])
@pytest.mark.parametrize("kind", ["low", "high"])
def test_sides_are_those_of_scipy(kind, edge, order):
    b, a = getattr(butterworth, f"{kind}_pass")(torch.tensor(edge * math.pi, dtype=torch.float64), order)
    assert b.shape == a.shape == (-(-order // 2), 3)
    assert_close(b, a, edge, kind, order)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("edges", [(0.002, 0.9), (0.1, 0.5), (0.3, 0.31), (0.95, 0.99)])
def test_bands_are_those_of_scipy(edges, order):
    b, a = butterworth.band_pass(*(math.pi * torch.tensor(edges, dtype=torch.float64)), order)
    assert b.shape == a.shape == (order, 3)
    assert_close(b, a, edges, "band", order)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_an_allpass_has_the_same_poles(order):
    w0 = torch.tensor(0.7, dtype=torch.float64)
    b, a = butterworth.all_pass(w0, order)
    poles = [np.roots(np.trim_zeros(section, "b")) for section in a.numpy()]
    expected = butter(order, 0.7 / math.pi, output="zpk")[1]
    np.testing.assert_allclose(np.sort_complex(np.concatenate(poles)), np.sort_complex(expected))
    np.testing.assert_allclose(abs(response(b, a)), 1)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradients(order):
    low, high = torch.tensor([[0.2, 1.0], [0.9, 2.9]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda w: butterworth.low_pass(w, order), [low])
    assert gradcheck(lambda w: butterworth.high_pass(w, order), [low])
    assert gradcheck(lambda low, high: butterworth.band_pass(low, high, order), [low, high])
