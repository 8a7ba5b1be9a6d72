import math

import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import LinkwitzRileyCrossover, StereoGain
from grafx.processors.base import ParameterError
from torch.autograd import gradcheck

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer

SAMPLE_RATE, LENGTH = 44100, 2**16
HERTZ = np.fft.rfftfreq(LENGTH, 1 / SAMPLE_RATE)


def responses(crossover, log_freq):
    """Of all bands to an impulse, ``(K, B, bins)``."""
    impulse = torch.zeros(len(log_freq), 1, LENGTH, dtype=torch.float64)
    impulse[..., 0] = 1
    return np.fft.rfft(torch.stack(crossover(impulse, log_freq=log_freq))[:, :, 0].numpy())


def decibels(response):
    return 20 * np.log10(np.abs(response) + 1e-30)


def control_values(crossover, **raw):
    return torch.stack(list(crossover.raw_to_dsp(raw).values()), -1)


@pytest.mark.parametrize("num_bands, order", [*((k, 4) for k in range(2, 7)), (2, 2), (5, 2), (4, 8)])
def test_bands_sum_to_allpass_filters(num_bands, order, rng):
    crossover = LinkwitzRileyCrossover(num_bands, order=order)
    log_freq = torch.from_numpy(rng.normal(scale=2, size=(4, num_bands - 1)))
    total = responses(crossover, log_freq).sum(0)
    assert abs(decibels(total)).max() < 1e-6
    expected = np.ones_like(total)
    for row, frequencies in zip(expected, control_values(crossover, log_freq=log_freq), strict=True):
        for f in frequencies:
            _, poles, _ = scipy.signal.butter(order // 2, f.item(), fs=SAMPLE_RATE, output="zpk")
            gain = np.prod(-poles).real
            row *= scipy.signal.freqz_zpk(1 / poles, poles, gain, HERTZ, fs=SAMPLE_RATE)[1]
    np.testing.assert_allclose(total, expected, atol=1e-6)


def test_bands_are_flat_in_single_precision():
    crossover = LinkwitzRileyCrossover(6)
    impulse = torch.zeros(1, 1, LENGTH)
    impulse[..., 0] = 1
    total = sum(crossover(impulse, log_freq=torch.zeros(1, 5)))
    assert total.dtype == torch.float32
    assert abs(decibels(np.fft.rfft(total.double().numpy()))).max() < 0.01


def test_amplitude_is_halved_at_a_crossover_and_falls_by_24_decibels_per_octave():
    crossover = LinkwitzRileyCrossover(3)
    raw = crossover.dsp_to_raw({"crossover0_freq": 100.0, "crossover1_freq": 2500.0}, like=torch.zeros(()).double())
    low, mid, high = responses(crossover, **raw)[:, 0]

    def at(response, hertz):
        return np.interp(hertz, HERTZ, decibels(response))

    for below, above, f in ((low, mid, 100), (mid, high, 2500)):
        assert at(below, f) == pytest.approx(20 * math.log10(0.5), abs=0.05)
        assert at(above, f) == pytest.approx(20 * math.log10(0.5), abs=0.05)
    assert at(low, 800) - at(low, 1600) == pytest.approx(24, abs=0.5)
    assert at(mid, 25) - at(mid, 12.5) == pytest.approx(24, abs=0.5)
    assert at(high, 600) - at(high, 300) == pytest.approx(24, abs=0.5)
    assert at(mid, 500) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("sample_rate", [8000, 44100, 192000])
@pytest.mark.parametrize("std", [0.1, 1.0, 10.0, 1e6])
def test_frequencies_ascend_within_the_range_whatever_the_raw_values_are(sample_rate, std, rng):
    crossover = LinkwitzRileyCrossover(6, sample_rate)
    frequencies = control_values(crossover, log_freq=torch.from_numpy(std * rng.normal(size=(200, 5))))
    assert (frequencies.diff() > 0).all()
    assert frequencies.min() > 20 * 0.96
    assert frequencies.max() < min(20000, 0.95 * sample_rate / 2) * 1.041 < sample_rate / 2


def test_order_of_raw_values_does_not_matter():
    crossover = LinkwitzRileyCrossover(4)
    ascending = torch.tensor([[200.0, 600.0, 5000.0]], dtype=torch.float64)
    references = torch.tensor([c.default for c in crossover.controls.values()], dtype=torch.float64)
    for order in ([0, 1, 2], [2, 0, 1], [2, 1, 0]):
        log_freq = torch.log(ascending[:, order] / references)
        torch.testing.assert_close(control_values(crossover, log_freq=log_freq), ascending)


def test_ranges_are_parts_of_a_logarithmic_scale():
    controls = LinkwitzRileyCrossover(4).controls.values()
    np.testing.assert_allclose([(c.low, c.high) for c in controls], [(20, 200), (200, 2000), (2000, 20000)])
    np.testing.assert_allclose([c.default for c in controls], np.geomspace(20, 20000, 5)[1:-1])
    (only,) = LinkwitzRileyCrossover(2, sample_rate=16000).controls.values()
    np.testing.assert_allclose((only.low, only.high), (20, 7600))


def test_what_networks_predict_ascends_and_comes_back(rng):
    crossover = LinkwitzRileyCrossover(6)
    norm = torch.from_numpy(rng.uniform(size=(100, 5)).round())  # neighbours meet at the ends of their ranges
    raw = crossover.norm_to_raw(norm)
    torch.testing.assert_close(crossover.raw_to_norm(raw), norm, atol=1e-5, rtol=0)
    assert (control_values(crossover, **raw).diff() >= 0).all()


def test_gradients(rng):
    crossover = LinkwitzRileyCrossover(4)
    x = torch.from_numpy(rng.standard_normal((2, 2, 20))).requires_grad_()
    # In the first row, two frequencies are in reversed order.
    log_freq = torch.tensor([[3.0, -0.5, 0.3], [0.0, 0.1, 0.0]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, log_freq: crossover(x, log_freq=log_freq), (x, log_freq), fast_mode=True)


def test_raw_values_far_out_keep_finite_gradients():
    crossover = LinkwitzRileyCrossover(3)
    log_freq = torch.tensor([[-100.0, 100.0]], requires_grad=True)
    low, mid, high = crossover(torch.randn(1, 1, 5000), log_freq=log_freq)
    (gradient,) = torch.autograd.grad(low.square().sum() + high.square().sum() + mid.sum(), log_freq)
    assert gradient.isfinite().all() and gradient.all()


@pytest.mark.parametrize("num_bands", [1, 0])
def test_too_few_bands_are_refused(num_bands):
    with pytest.raises(ParameterError, match=f"at least 2 bands: num_bands cannot be {num_bands}"):
        LinkwitzRileyCrossover(num_bands)


def test_other_orders_are_refused():
    with pytest.raises(ParameterError, match="order must be one of 2, 4, 8, not 3"):
        LinkwitzRileyCrossover(order=3)


def test_values_that_do_not_ascend_are_refused():
    crossover = LinkwitzRileyCrossover(3, param_range={"crossover0_freq": (50, 5000)})
    crossover.dsp_to_raw({"crossover0_freq": 900, "crossover1_freq": [900, 1000]})
    with pytest.raises(ParameterError, match="crossover0_freq is 3000 Hz and crossover1_freq is 1000 Hz"):
        crossover.dsp_to_raw({"crossover0_freq": [900, 3000], "crossover1_freq": 1000})


@pytest.mark.parametrize("limits", [(10, 500), (50, 22000)])
def test_ranges_beyond_what_raw_values_reach_are_refused(limits):
    with pytest.raises(ParameterError, match="crossover0_freq cannot have the range"):
        LinkwitzRileyCrossover(param_range={"crossover0_freq": limits}).controls  # noqa: B018


def test_outlets_feed_different_nodes_of_a_graph(rng):
    processors = {"crossover": LinkwitzRileyCrossover(3), "gain": StereoGain()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    _, split = G.add_serial_chain(["in", "crossover"])
    gain, mix = G.add("gain"), G.add("mix")
    G.connect(split, gain, outlet="band0")
    G.connect(split, mix, outlet="band2")
    G.connect(gain, mix)
    G.connect(mix, G.add("out"))
    renderer = Renderer(G, processors)
    x = torch.from_numpy(rng.standard_normal((1, 2, 500))).float()
    log_freq, log_gain = torch.tensor([[0.3, -0.2]]), torch.tensor([[0.5, -0.5]])
    with torch.no_grad():
        for name, parameter in renderer.named_parameters():
            parameter.copy_({"log_freq": log_freq, "log_gain": log_gain}[name.rpartition(".")[2]])
        y = renderer(x)
    low, _, high = processors["crossover"](x, log_freq=log_freq)
    torch.testing.assert_close(y.reshape(low.shape), low * log_gain.exp()[..., None] + high)
