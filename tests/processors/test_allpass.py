import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from grafx.processors import AllpassCascade, AllpassLattice, SchroederAllpass
from grafx.processors.base import ParameterError
from scipy.signal import lfilter, sosfilt

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE = 48000
FILTERS = {
    "fixed": (SchroederAllpass(2, (3.0, 1.1), sample_rate=RATE), {"gain": [0.7, -0.4]}),
    "learned": (SchroederAllpass(2, max_delay_ms=5), {"gain": [0.7, -0.4], "delay_ms": [1.234, 4.9]}),
    "filters": (
        SchroederAllpass(2, max_delay_ms=5, frequency_dependent=True),
        {"gain_low": [0.8, 0.3], "gain_high": [-0.5, 0.6], "delay_ms": [1.234, 0.0], "crossover_hz": [500.0, 15000.0]},
    ),
    "cascade": (AllpassCascade(5), {"q": [0.1, 1.0, 5.0, 20.0, 0.5]}),
    "lattice": (AllpassLattice(7), {"reflection": [0.9, -0.5, 0.3, 0.8, -0.95, 0.0, 0.6]}),
}


def set_to(values):
    return {name: torch.tensor(np.asarray([value]), dtype=torch.float64) for name, value in values.items()}


@pytest.mark.parametrize("dtype, error", [(torch.float32, 1e-4), (torch.float64, 1e-7)])
@pytest.mark.parametrize("name", FILTERS)
def test_all_frequencies_pass(name, dtype, error):
    processor, values = FILTERS[name]
    y = processor(torch.eye(1, 2**15, dtype=dtype)[None], dsp_params=set_to(values))
    assert (torch.fft.rfft(y.double()).abs() - 1).abs().max() < error


@pytest.mark.parametrize("name", FILTERS)
def test_energy_is_kept(name, rng):
    processor, values = FILTERS[name]
    x = torch.nn.functional.pad(torch.from_numpy(rng.standard_normal((1, 2, 500))), (0, 2**15))
    y = processor(x, dsp_params=set_to(values))
    torch.testing.assert_close(y.square().sum(), x.square().sum())


@pytest.mark.parametrize("gain", [0.7, -0.5, 0.99])
def test_whole_delays_are_schroeders_formula(gain, rng):
    x = rng.standard_normal((1, 2, 2000))
    processor = SchroederAllpass(delay_ms=1.0, sample_rate=RATE)
    y = processor(torch.from_numpy(x), dsp_params={"gain": gain})
    late = np.zeros(47)
    np.testing.assert_allclose(y, lfilter([gain, *late, 1], [1, *late, gain], x), atol=1e-10)


def test_learned_delays_are_the_fixed_ones_at_whole_samples(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 2000)))
    for dependent, values in (
        (False, {"gain": 0.6}),
        (True, {"gain_low": 0.6, "gain_high": 0.2, "crossover_hz": 3000.0}),
    ):
        fixed = SchroederAllpass(1, 2.0, dependent, sample_rate=RATE)(x, dsp_params=values)
        learned = SchroederAllpass(1, None, dependent, sample_rate=RATE)(x, dsp_params={**values, "delay_ms": 2.0})
        torch.testing.assert_close(learned, fixed, rtol=0, atol=1e-6)


def test_between_samples_low_frequencies_are_late_by_the_delay():
    processor = SchroederAllpass(sample_rate=RATE)
    delays = torch.tensor([20.2, 20.5, 20.9, 21.4]).double()
    impulse = torch.eye(1, 2**12, dtype=torch.float64).expand(4, 1, -1)
    y = processor(impulse, dsp_params={"delay_ms": delays * 1000 / RATE, "gain": 0.5})[:, 0]
    # The delay at zero frequency is the first moment; that of (g + P)/(1 + g P) is (1 − g)/(1 + g) times that of P.
    torch.testing.assert_close(y @ torch.arange(2.0**12).double(), delays / 3, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("delay_ms", [None, 2.0])
def test_without_a_gain_it_is_a_delay_whose_gain_can_be_learned(delay_ms, rng):
    processor = SchroederAllpass(1, delay_ms, sample_rate=RATE)
    values = {"gain": torch.zeros(1, dtype=torch.float64)} | ({} if delay_ms else {"delay_ms": 2.0})
    raw = processor.dsp_to_raw(values, like=values["gain"])
    raw["z_gain"].requires_grad_()
    x = torch.from_numpy(rng.standard_normal((1, 1, 1000)))
    y = processor(x, **raw)
    late = torch.nn.functional.pad(x, (96, 0))[..., :1000]
    torch.testing.assert_close(y, late, rtol=0, atol=1e-5)
    (slope,) = torch.autograd.grad((y * x).sum(), raw["z_gain"])
    twice = torch.nn.functional.pad(x, (192, 0))[..., :1000]
    expected = 0.9995 * ((x - twice) * x).sum()  # y = g x + z⁻ᵐ (1 − g²) x + …, where g is 0.9995 tanh
    torch.testing.assert_close(slope.sum(), expected, rtol=1e-3, atol=0)


def test_gains_depend_on_the_frequency(rng):
    low, high, hertz = 0.9, -0.3, 2000.0
    values = {"gain_low": low, "gain_high": high, "crossover_hz": hertz}
    x = rng.standard_normal((1, 1, 3000))
    y = SchroederAllpass(1, 1.0, True, sample_rate=RATE)(torch.from_numpy(x), dsp_params=values)
    w = math.tan(math.pi * hertz / RATE)
    n, d = [low * w + high, low * w - high], [w + 1, w - 1]
    a = np.concatenate([d, np.zeros(46), n])
    np.testing.assert_allclose(y, lfilter(a[::-1], a, x), atol=1e-6)


def test_a_cascade_is_that_of_sections(rng):
    hertz, q = np.array([100.0, 1000.0, 9000.0]), np.array([0.5, 3.0, 10.0])
    w0 = 2 * np.pi * hertz / RATE
    alpha, c = np.sin(w0) / (2 * q), np.cos(w0)
    a = np.stack([1 + alpha, -2 * c, 1 - alpha], -1) / (1 + alpha)[:, None]
    x = rng.standard_normal((1, 2, 1000))
    values = set_to({"frequency_hz": hertz, "q": q})
    y = AllpassCascade(3, RATE)(torch.from_numpy(x), dsp_params=values)
    np.testing.assert_allclose(y, sosfilt(np.concatenate([a[:, ::-1], a], -1), x), atol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 8])
def test_a_lattice_has_the_polynomials_of_its_reflection_coefficients(order, rng):
    k, x = rng.uniform(-0.95, 0.95, order), rng.standard_normal((1, 2, 1000))
    a = np.ones(1)
    for k_n in k:
        a = np.append(a, 0) + k_n * np.append(0, a[::-1])
    y = AllpassLattice(order)(torch.from_numpy(x), z_reflection=torch.from_numpy(np.arctanh(k))[None])
    np.testing.assert_allclose(y, lfilter(a[::-1], a, x), atol=1e-9)


def test_delays_may_move_from_block_to_block(rng):
    processor, x = SchroederAllpass(max_delay_ms=20), torch.from_numpy(rng.standard_normal((1, 1, 3000)))
    y, state = processor.stream(x[..., :1500], dsp_params={"delay_ms": 2.0})
    z, _ = processor.stream(x[..., 1500:], state=state, dsp_params={"delay_ms": 19.0})
    whole = processor(x, dsp_params={"delay_ms": 2.0})
    torch.testing.assert_close(y, whole[..., :1500])
    assert z.isfinite().all() and not torch.allclose(z, whole[..., 1500:])


@pytest.mark.parametrize("name", FILTERS)
def test_renders_and_streams_in_a_graph(name, rng):
    processor, values = FILTERS[name]
    processors = {"allpass": processor}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    nodes = G.add("in"), G.add("allpass", parameters=values), G.add("out")
    for pair in pairwise(nodes):
        G.connect(*pair)
    x = torch.from_numpy(rng.standard_normal((1, 2, 500))).float()
    expected = processor(x, dsp_params={name: torch.tensor([value]) for name, value in values.items()})
    torch.testing.assert_close(Renderer(G, processors)(x), expected)
    stream = StreamRenderer(G, processors)
    blocks = [stream(block) for block in x.split([123, 0, 377], -1)]
    torch.testing.assert_close(torch.cat([*blocks, stream.finish(tail=False)], -1), expected, rtol=1e-5, atol=1e-6)


def test_what_does_not_fit_is_refused_by_name():
    with pytest.raises(ParameterError, match="num_stages must be at least 1"):
        SchroederAllpass(0)
    with pytest.raises(ParameterError, match="delay_ms has 2 values for 3 stages"):
        SchroederAllpass(3, (1.0, 2.0))
    with pytest.raises(ParameterError, match=r"2 samples or more each, not 0\.03 ms"):
        SchroederAllpass(2, (1.0, 0.03))
    with pytest.raises(ParameterError, match="max_delay_ms must be 2 samples or more"):
        SchroederAllpass(max_delay_ms=0.03)
    with pytest.raises(ParameterError, match="takes no z_delay"):
        SchroederAllpass(delay_ms=3.0)(torch.zeros(1, 1, 9), torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(ParameterError, match="order must be at least 1"):
        AllpassLattice(0)
