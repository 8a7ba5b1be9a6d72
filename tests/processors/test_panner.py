import math

import numpy as np
import pytest
import torch
from grafx.processors import HaasEnhancer, Panner, StereoWidener
from grafx.processors.base import ParameterError
from scipy import signal

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer

LAWS = ("linear", "constant_power", "-4.5dB", "balance")
PLACES = torch.linspace(-1, 1, 41, dtype=torch.float64)


def gains(law, dtype=torch.float64):
    return Panner(law)(torch.ones(41, 1, 1, dtype=dtype), dsp_params={"pan": PLACES.to(dtype)})[..., 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_power_is_constant(dtype):
    power = gains("constant_power", dtype).square().sum(1)
    torch.testing.assert_close(power, torch.ones(41, dtype=dtype), atol=1e-6, rtol=0)


def test_linear_pan_keeps_the_mono_sum():
    torch.testing.assert_close(gains("linear").sum(1), torch.ones(41, dtype=torch.float64))


def test_the_law_between_is_the_geometric_mean():
    between = (gains("linear").clamp(0) * gains("constant_power").clamp(0)).sqrt()
    torch.testing.assert_close(gains("-4.5dB"), between, atol=1e-9, rtol=0)


@pytest.mark.parametrize("law, middle", [*zip(LAWS, (-6.02, -3.01, -4.52, 0), strict=True)])
def test_ends_and_middle(law, middle):
    left, right = gains(law).T
    assert 20 * math.log10(left[20]) == pytest.approx(middle, abs=0.01)
    np.testing.assert_allclose(left, right.flip(0), atol=1e-12)
    np.testing.assert_allclose(left[[0, -1]], [1, 0], atol=1e-9)


def test_balance_lets_stereo_pass_in_the_middle(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 30))).float()
    torch.testing.assert_close(Panner("balance")(x, torch.zeros(2, 1)), x, rtol=0, atol=0)
    left = Panner("balance")(x, dsp_params={"pan": -1.0})
    torch.testing.assert_close(left[:, 0], x[:, 0])
    assert left[:, 1].abs().max() < 1e-6


def test_a_mono_signal_is_panned_as_the_same_on_two_channels(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 30)))
    for law in LAWS:
        pan = {"dsp_params": {"pan": 0.3}}
        torch.testing.assert_close(Panner(law)(x, **pan), Panner(law)(x.expand(-1, 2, -1), **pan))


@pytest.mark.parametrize("law", LAWS)
def test_no_place_is_one_that_cannot_be_left(law):
    z = torch.tensor([[-3.8], [0.1], [3.8]], dtype=torch.float64, requires_grad=True)
    y = Panner(law)(torch.ones(3, 1, 1, dtype=torch.float64), z)
    (gradient,) = torch.autograd.grad((y[:, 0] - y[:, 1]).sum(), z)
    assert (gradient < -1e-4).all()
    assert torch.autograd.gradcheck(lambda z: Panner(law)(torch.ones(3, 1, 2, dtype=torch.float64), z), z)


def test_width(rng):
    x = torch.from_numpy(rng.standard_normal((3, 2, 50)))
    y = StereoWidener()(x, dsp_params={"width": torch.tensor([0.0, 1.0, 2.0])})
    mid, side = x.mean(1), (x[:, 0] - x[:, 1]) / 2
    for row, width in enumerate((0, 1, 2)):
        expected = torch.stack([mid[row] + width * side[row], mid[row] - width * side[row]])
        torch.testing.assert_close(y[row], expected, atol=1e-6, rtol=0)


def test_bass_is_in_the_middle_and_the_mono_sum_stays(rng):
    x = rng.standard_normal((1, 2, 4000))
    widener = StereoWidener(mono_bass=True)
    y = widener(torch.from_numpy(x), dsp_params={"width": 2.0, "mono_below_hz": 200.0}).numpy()
    np.testing.assert_allclose(y.sum(1), x.sum(1), atol=1e-12)
    sos = signal.butter(2, 200, "highpass", fs=44100, output="sos")
    np.testing.assert_allclose(y[:, 0] - y[:, 1], 2 * signal.sosfilt(sos, x[:, 0] - x[:, 1]), atol=1e-5)


def test_haas_is_a_late_side(rng):
    x = rng.standard_normal((1, 1, 3000))
    ms = 441 / 44.1
    y = HaasEnhancer(invert=True)(torch.from_numpy(x), dsp_params={"delay_ms": ms, "gain_db": -6.0})[0].numpy()
    np.testing.assert_array_equal(y[0], x[0, 0])
    late = np.pad(x[0, 0], (441, 0))[:3000]
    np.testing.assert_allclose(y[1], -(10 ** (-6 / 20)) * late, atol=1e-5)
    other = HaasEnhancer("left")(torch.from_numpy(x), dsp_params={"delay_ms": ms})[0].numpy()
    np.testing.assert_array_equal(other[1], x[0, 0])
    np.testing.assert_allclose(other[0], late, atol=1e-5)


def test_a_delay_is_found_by_gradients(rng):
    x = torch.from_numpy(signal.lfilter([1], [1, -0.97], rng.standard_normal((1, 1, 4000))))
    haas = HaasEnhancer()
    target = haas(x, dsp_params={"delay_ms": 10.2})
    z = haas.dsp_to_raw({"delay_ms": torch.tensor([10.0], dtype=torch.float64)})["z_delay"].requires_grad_()
    optimizer = torch.optim.Adam([z], lr=1e-3)
    for _ in range(80):
        optimizer.zero_grad()
        (haas(x, z, torch.zeros(1, 1).double()) - target).square().mean().backward()
        optimizer.step()
    found = haas.raw_to_dsp({"z_delay": z.detach(), "log_gain": torch.zeros(1, 1)})["delay_ms"]
    assert found.item() == pytest.approx(10.2, abs=0.005)


@pytest.mark.parametrize("processor", [Panner(), HaasEnhancer()])
def test_more_than_two_channels_are_refused(processor):
    with pytest.raises(ParameterError, match=r"needs a mono or stereo signal .*not \(1, 3, 8\)"):
        processor(torch.zeros(1, 3, 8), dsp_params={})


def test_refusals():
    with pytest.raises(ParameterError, match=r"law must be one of 'linear', .*not 'sine'"):
        Panner("sine")
    with pytest.raises(ParameterError, match="delayed must be one of 'left', 'right', not 'both'"):
        HaasEnhancer("both")
    with pytest.raises(ParameterError, match=r"StereoWidener needs a stereo signal.*\(1, 1, 8\)"):
        StereoWidener()(torch.zeros(1, 1, 8), torch.zeros(1, 1))
    with pytest.raises(ParameterError, match="needs w0"):
        StereoWidener(mono_bass=True)(torch.zeros(1, 2, 8), torch.zeros(1, 1))


def test_mono_tracks_are_mixed_to_stereo_in_a_graph(rng):
    processors = {"pan": Panner("linear")}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    sources, mix, out = [G.add("in"), G.add("in")], G.add("mix"), G.add("out")
    for source, place in zip(sources, (-1.0, 0.5), strict=True):
        pan = G.add("pan", parameters={"pan": place})
        G.connect(source, pan)
        G.connect(pan, mix)
    G.connect(mix, out)
    x = torch.from_numpy(rng.standard_normal((2, 1, 100))).float()
    with torch.no_grad():
        y = Renderer(G, processors)(x)
    expected = torch.stack([x[0, 0] + 0.25 * x[1, 0], 0.75 * x[1, 0]])
    torch.testing.assert_close(y.reshape(2, 100), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("rate", [400, 1000, 44100])
def test_bass_ends_below_half_the_sample_rate(rate):
    widener = StereoWidener(mono_bass=True, sample_rate=rate)
    raw = widener.norm_to_raw(torch.ones(1, 2, dtype=torch.float64))
    assert widener.raw_to_dsp(raw)["mono_below_hz"].item() == pytest.approx(min(500, 0.45 * rate))
    assert widener(torch.ones(1, 2, 9).double(), **raw).isfinite().all()
