import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.channels import filter_channels, filters_of_channels, num_filter_channels


def filtered(h, x):
    return scipy.signal.lfilter(h, [1.0], x)


@pytest.fixture
def signals(rng):
    return rng.standard_normal((2, 40)), rng.standard_normal((2, 5))


def run(x, h, processor_channel):
    return filter_channels(
        torch.from_numpy(x)[None],
        filters_of_channels(torch.from_numpy(h)[None], processor_channel),
        processor_channel,
    )[0].numpy()


def test_mono_is_one_filter_for_all_channels(signals):
    (l, r), (h, _) = signals
    y = run(np.stack([l, r]), h[None], "mono")
    np.testing.assert_allclose(y, [filtered(h, l), filtered(h, r)], atol=1e-12)


def test_stereo_is_one_filter_each(signals):
    (l, r), (h_l, h_r) = signals
    y = run(np.stack([l, r]), np.stack([h_l, h_r]), "stereo")
    np.testing.assert_allclose(y, [filtered(h_l, l), filtered(h_r, r)], atol=1e-12)
    y = run(l[None], np.stack([h_l, h_r]), "stereo")
    np.testing.assert_allclose(y, [filtered(h_l, l), filtered(h_r, l)], atol=1e-12)


def test_midside_filters_mid_and_side(signals):
    (l, r), (h_m, h_s) = signals
    m, s = filtered(h_m, (l + r) / 2), filtered(h_s, (l - r) / 2)
    y = run(np.stack([l, r]), np.stack([h_m, h_s]), "midside")
    np.testing.assert_allclose(y, [m + s, m - s], atol=1e-12)


def test_pseudo_midside_converts_the_filters(signals):
    (l, r), (h_m, h_s) = signals
    y = run(np.stack([l, r]), np.stack([h_m, h_s]), "pseudo_midside")
    np.testing.assert_allclose(y, [filtered(h_m + h_s, l), filtered(h_m - h_s, r)], atol=1e-12)


def test_number_of_filters():
    assert [num_filter_channels(c) for c in ("mono", "stereo", "midside", "pseudo_midside")] == [1, 2, 2, 2]
    with pytest.raises(ParameterError, match=r"'surround'.*pseudo_midside"):
        num_filter_channels("surround")


def test_midside_of_a_mono_signal_is_refused():
    with pytest.raises(ParameterError, match=r"stereo signal.*\(1, 1, 8\)"):
        filter_channels(torch.zeros(1, 1, 8), torch.zeros(1, 2, 3), "midside")
