import math

import numpy as np
import pytest
import torch
from grafx.processors import ButterworthFilter
from grafx.processors.base import ParameterError
from scipy.signal import butter, sosfilt

RATE = 48000


@pytest.mark.parametrize("order", [1, 2, 5, 8, 16])
@pytest.mark.parametrize("kind", ["low", "high", "band"])
def test_is_scipys(kind, order, rng):
    x = rng.standard_normal((2, 2, 4000))
    edges = {"low_hz": 300.0, "high_hz": 5000.0} if kind == "band" else {"frequency_hz": 1000.0}
    y = ButterworthFilter(order, kind, RATE)(torch.from_numpy(x), dsp_params=edges)
    expected = sosfilt(butter(order, np.squeeze(list(edges.values())), kind, output="sos", fs=RATE), x)
    assert np.linalg.norm(y.numpy() - expected) < 10 ** (-120 / 20) * np.linalg.norm(expected)


@pytest.mark.parametrize("order", [1, 4, 9])
def test_is_3_dB_down_at_both_edges_within_a_millionth(order):
    processor, impulse = ButterworthFilter(order, "band", RATE), torch.eye(1, 2**15, dtype=torch.float64)[None]
    y = processor(impulse, dsp_params={"low_hz": 375.0, "high_hz": 6000.0})[0, 0]
    decibels = 20 * torch.log10(torch.fft.rfft(y).abs()[[256, 4096]])
    torch.testing.assert_close(decibels, torch.full((2,), -10 * math.log10(2), dtype=torch.float64), atol=1e-6, rtol=0)


def test_edges_ascend_whatever_the_raw_parameters_are():
    processor = ButterworthFilter(2, "band")
    raw = torch.tensor([0.0, 0.5, 1.0, -1.0, -1.01, 30.0, -1e6, 1e6])[:, None]
    b, a = processor.sections(raw, -raw)
    assert b.isfinite().all() and (b[..., 0] > 0).all()
    assert (a[..., 2] / a[..., 0] < 1).all()
    torch.testing.assert_close(processor.sections(2 - raw, raw - 2), (b, a))


def test_edges_given_the_wrong_way_round_change_places():
    impulse, processor = torch.eye(1, 500, dtype=torch.float64)[None], ButterworthFilter(4, "band", RATE)
    right, wrong = ({"low_hz": low, "high_hz": high} for low, high in ((300, 2000), (2000, 300)))
    torch.testing.assert_close(processor(impulse, dsp_params=wrong), processor(impulse, dsp_params=right))


def test_what_does_not_fit_is_refused_by_name():
    with pytest.raises(ParameterError, match="Unknown kind 'notch'"):
        ButterworthFilter(kind="notch")
    with pytest.raises(ParameterError, match="order must be from 1 to 16, not 17"):
        ButterworthFilter(17)
    with pytest.raises(ParameterError, match="takes no w_low"):
        ButterworthFilter()(torch.zeros(1, 1, 9), torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(ParameterError, match="needs w_high"):
        ButterworthFilter(kind="band")(torch.zeros(1, 1, 9), w_low=torch.zeros(1, 1))
