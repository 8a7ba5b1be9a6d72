import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.graphic_eq import CENTRES, Bands
from torch.autograd import gradcheck

DB = 20 / np.log(10)
NUM_BANDS = {"bark": 24, "third_octave": 31}


def published(g, centre, width):
    """One filter by the formulas of the paper."""
    edge = g**0.4
    beta = np.sqrt(abs(edge**2 - 1) / abs(g**2 - edge**2)) * np.tan(width / 2)
    return (
        np.array([1 + g * beta, -2 * np.cos(centre), 1 - g * beta]) / (1 + beta),
        np.array([1 + beta, -2 * np.cos(centre), 1 - beta]) / (1 + beta),
    )


def response_db(bands, log_gains, w):
    b, a = bands.filters(log_gains)
    sos = torch.cat([b / a[..., :1], a / a[..., :1]], -1).numpy()
    return 20 * np.log10(np.abs(scipy.signal.sosfreqz(sos, w)[1]))


@pytest.mark.parametrize("scale", CENTRES)
def test_filters_are_the_published_ones(scale, rng):
    bands = Bands(scale)
    assert len(bands) == NUM_BANDS[scale]
    log_gains = rng.uniform(-3, 3, len(bands))
    found = bands.filters(torch.from_numpy(log_gains))
    for k in range(len(bands)):
        b, a = published(np.exp(log_gains[k]), bands.centres[k].item(), bands.widths[k].item())
        a0 = found[1][k, 0]
        np.testing.assert_allclose([found[0][k] / a0, found[1][k] / a0], [b, a], atol=1e-12)


@pytest.mark.parametrize("scale", CENTRES)
@pytest.mark.parametrize("k", [0, 7, 17])
def test_edges_of_a_band_have_two_fifths_of_its_gain(scale, k):
    bands, db = Bands(scale), 12.0
    log_gains = torch.zeros(len(bands)).double()
    log_gains[k] = db / DB
    w = bands.centres[k].item() + np.linspace(-0.5, 0.8, 20001) * bands.widths[k].item()
    inside = w[response_db(bands, log_gains, w) > 0.4 * db]
    np.testing.assert_allclose(inside[-1] - inside[0], bands.widths[k], rtol=1e-3)
    np.testing.assert_allclose(response_db(bands, log_gains, bands.centres[k : k + 1]), db, rtol=1e-9)


def test_centres_follow_the_sample_rate():
    np.testing.assert_allclose(Bands("bark", 48000).centres, 2 * np.pi / 48000 * np.array(CENTRES["bark"]))
    with pytest.raises(ParameterError, match="reach up to 20160 Hz: sr must be over twice that, not 32000"):
        Bands("third_octave", 32000)
    with pytest.raises(ParameterError, match="Unknown scale 'octave': use one of bark, third_octave"):
        Bands("octave")


@pytest.mark.parametrize("scale", CENTRES)
def test_no_gain_changes_nothing_and_opposite_gains_cancel(scale, rng):
    bands = Bands(scale)
    b, a = bands.filters(torch.zeros(len(bands)))
    torch.testing.assert_close(b, a, rtol=0, atol=1e-15)
    log_gains = torch.from_numpy(rng.standard_normal(len(bands)))
    w = np.linspace(0.001, 3, 50)
    np.testing.assert_allclose(response_db(bands, log_gains, w), -response_db(bands, -log_gains, w), atol=1e-6)


@pytest.mark.parametrize("scale, error", [("bark", 1.1), ("third_octave", 0.9)])
def test_response_passes_through_the_commands(scale, error, rng):
    bands = Bands(scale)
    K = len(bands)
    commands = [np.full(K, 12.0), np.full(K, -12.0), 12 * (-1.0) ** np.arange(K), 12 * np.eye(K)[K // 2], np.zeros(K)]
    commands += [*rng.uniform(-12, 12, (40, K)), *rng.choice([-12.0, 12.0], (40, K))]
    commands = np.stack(commands)
    log_gains = bands.gains_for(torch.from_numpy(commands / DB))
    for command, gains in zip(commands, log_gains, strict=True):
        assert np.abs(response_db(bands, gains, bands.centres) - command).max() < error
    uncorrected = response_db(bands, torch.from_numpy(commands[0] / DB), bands.centres)
    assert np.abs(uncorrected - 12).max() > 10


@pytest.mark.parametrize("scale", CENTRES)
def test_gains_for_no_commands_are_none_and_batches_are_solved_by_row(scale, rng):
    bands = Bands(scale)
    commands = torch.from_numpy(rng.standard_normal((2, 3, len(bands))))
    gains = bands.gains_for(commands)
    assert gains.shape == commands.shape
    torch.testing.assert_close(gains[1, 2], bands.gains_for(commands[1, 2]))
    assert bands.gains_for(commands.float()).dtype == torch.float32
    torch.testing.assert_close(bands.gains_for(torch.zeros(len(bands))), torch.zeros(len(bands)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", CENTRES)
def test_gradients(scale, rng):
    bands = Bands(scale)
    log_gains = torch.from_numpy(rng.standard_normal(len(bands))).requires_grad_()
    assert gradcheck(bands.filters, log_gains)
    assert gradcheck(bands.gains_for, log_gains, fast_mode=True)
    zero = torch.zeros(len(bands), dtype=torch.float64, requires_grad=True)
    assert gradcheck(bands.filters, zero)


@pytest.mark.parametrize("value", [-1e30, -1e4, 1e4, 1e30])
def test_extreme_gains_are_finite_and_stable(value):
    for scale in CENTRES:
        log_gains = torch.full((NUM_BANDS[scale],), value, requires_grad=True)
        b, a = Bands(scale).filters(log_gains)
        (b / a[..., :1]).square().sum().backward()
        assert b.isfinite().all() and a.isfinite().all() and log_gains.grad.isfinite().all()
        a = a / a[..., :1]
        assert (a[..., 2].abs() < 1).all() and (a[..., 1].abs() < 1 + a[..., 2]).all()
