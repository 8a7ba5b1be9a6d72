from itertools import product

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.dynamics.approx import ApproxCompressor, ApproxNoiseGate
from grafx.processors.dynamics.compressor import Compressor, NoiseGate
from torch.autograd import gradcheck

PROCESSORS = [Compressor, NoiseGate]
KNEES = ["hard", "quadratic", "exponential"]
SMOOTHERS = ["iir", "ballistics", None]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def iir(x, z, iir_len):
    alpha = sigmoid(z[0])
    return np.convolve(x, (1 - alpha) * alpha ** np.arange(iir_len))[: len(x)]


def ballistics(x, z, state):
    y = np.empty_like(x)
    for n, value in enumerate(x):
        alpha = sigmoid(z[0] if value >= state else z[1])
        y[n] = state = alpha * state + (1 - alpha) * value
    return y


def reference(kind, u, p, energy_smoother, gain_smoother, gain_smooth_in_log, knee, iir_len):
    """One node, in float64 and as the textbook writes it."""
    energy = (u**2).mean(0)
    if energy_smoother == "iir":
        energy = iir(energy, p["z_alpha_pre"], iir_len)
    elif energy_smoother == "ballistics":
        energy = ballistics(energy, p["z_alpha_pre"], 0.0)
    level, threshold, ratio = np.log(energy + 1e-5), p["log_threshold"][0] - 6, 1 + np.exp(p["log_ratio"][0])
    width = np.exp(p["log_knee"][0]) if knee != "hard" else 0.0
    if knee == "exponential":
        if kind is Compressor:
            log_gain = (1 / ratio - 1) * np.logaddexp(0, width * (level - threshold)) / width
        else:
            log_gain = (1 - ratio) * np.logaddexp(0, width * (threshold - level)) / width
    else:
        out = level.copy()
        above, inside = level > threshold + width / 2, np.abs(level - threshold) <= width / 2
        if kind is Compressor:
            out[above] = threshold + (level[above] - threshold) / ratio
            if width:
                out[inside] += (1 / ratio - 1) * (level[inside] - threshold + width / 2) ** 2 / (2 * width)
        else:
            below = level < threshold - width / 2
            out[below] = threshold + (level[below] - threshold) * ratio
            if width:
                out[inside] += (1 - ratio) * (level[inside] - threshold - width / 2) ** 2 / (2 * width)
        log_gain = out - level
    signal = log_gain if gain_smooth_in_log else np.exp(log_gain)
    if gain_smoother == "iir":
        signal = iir(signal, p["z_alpha_post"], iir_len)
    elif gain_smoother == "ballistics":
        rest = 0.0 if gain_smooth_in_log else 1.0
        signal = -ballistics(-signal, p["z_alpha_post"], -rest)  # it attacks when the gain falls
    return u * (np.exp(signal) if gain_smooth_in_log else signal)


def make_parameters(rng, processor, batch):
    return {name: rng.normal(size=(batch, size)) for name, size in processor.parameter_size().items()}


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("knee", KNEES)
def test_follows_the_textbook(rng, kind, knee):
    for energy_smoother, gain_smoother, in_log in product(SMOOTHERS, SMOOTHERS, [False, True]):
        options = dict(
            energy_smoother=energy_smoother,
            gain_smoother=gain_smoother,
            gain_smooth_in_log=in_log,
            knee=knee,
            iir_len=40,
        )
        processor = kind(**options)
        u = rng.normal(size=(2, 2, 101)) * np.exp(rng.uniform(-6, 0, size=(2, 1, 101)))
        p = make_parameters(rng, processor, 2)
        expected = [reference(kind, u[b], {k: v[b] for k, v in p.items()}, **options) for b in range(2)]
        for dtype, tolerance in ((torch.float64, 1e-8), (torch.float32, 1e-4)):
            y = processor(torch.tensor(u, dtype=dtype), **{k: torch.tensor(v, dtype=dtype) for k, v in p.items()})
            assert y.dtype == dtype
            np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * 1e-2)


@pytest.mark.parametrize("kind", PROCESSORS)
def test_parameter_sizes(kind):
    assert kind().parameter_size() == {"log_threshold": 1, "log_ratio": 1, "log_knee": 1, "z_alpha_pre": 1}
    assert kind(knee="hard", energy_smoother=None).parameter_size() == {"log_threshold": 1, "log_ratio": 1}
    sizes = kind(energy_smoother="ballistics", gain_smoother="ballistics").parameter_size()
    assert sizes["z_alpha_pre"] == sizes["z_alpha_post"] == 2
    assert kind(gain_smoother="iir").parameter_size()["z_alpha_post"] == 1


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("knee", KNEES)
@pytest.mark.parametrize("smoother", SMOOTHERS)
def test_gradients(rng, kind, knee, smoother):
    processor = kind(energy_smoother=smoother, gain_smoother=smoother, knee=knee, iir_len=9)
    p = make_parameters(rng, processor, 2)
    u = torch.tensor(rng.normal(size=(2, 2, 15)) * 0.1, requires_grad=True)
    values = [torch.tensor(v, requires_grad=True) for v in p.values()]
    assert gradcheck(lambda u, *v: processor(u, **dict(zip(p, v, strict=True))), (u, *values), fast_mode=True)


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("knee", KNEES)
@pytest.mark.parametrize("raw", [0.0, 30.0, -30.0, 1e4, -1e4, 3e38, -3e38])
def test_every_finite_raw_value_gives_finite_values_and_gradients(rng, kind, knee, raw):
    loud, silent = torch.tensor(rng.normal(size=(1, 2, 50)), dtype=torch.float32), torch.zeros(1, 2, 50)
    for smoother, in_log in (("iir", True), ("iir", False), ("ballistics", True), ("ballistics", False)):
        processor = kind(energy_smoother=smoother, gain_smoother=smoother, gain_smooth_in_log=in_log, knee=knee)
        sizes = processor.parameter_size()
        for extreme in (*sizes, "all"):
            u = torch.cat([loud, silent]).requires_grad_()
            p = {k: torch.full((2, n), raw if extreme in (k, "all") else 0.0) for k, n in sizes.items()}
            tensors = [u, *(v.requires_grad_() for v in p.values())]
            y = processor(u, **p)
            assert y.isfinite().all()
            assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), tensors))


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 1), (1, 1, 64), (2, 2, 0), (0, 2, 8), (2, 5, 33)])
def test_any_shape(kind, shape):
    processor = kind(gain_smoother="ballistics")
    u = torch.rand(shape, requires_grad=True)
    p = {k: torch.zeros(shape[0], n) for k, n in processor.parameter_size().items()}
    y = processor(u, **p)
    assert y.shape == shape
    (grad,) = torch.autograd.grad(y.sum(), u)
    assert grad.isfinite().all()


def test_one_gain_serves_all_channels(rng):
    u = torch.tensor(rng.normal(size=(1, 2, 100)))
    p = {k: torch.zeros(1, n) for k, n in Compressor().parameter_size().items()}
    gains = Compressor()(u, **p) / u
    torch.testing.assert_close(gains[:, 0], gains[:, 1])


def test_compressor_reduces_the_loud_and_gate_the_soft():
    u = torch.cat([torch.full((1, 1, 500), 1e-2), torch.ones(1, 1, 500)], 2)
    p = {k: torch.zeros(1, n) for k, n in Compressor().parameter_size().items()}
    compressed, gated = Compressor()(u, **p) / u, NoiseGate()(u, **p) / u
    assert compressed[0, 0, 400] > 0.99 and compressed[0, 0, -1] < 0.1
    assert gated[0, 0, 400] < 0.3 and gated[0, 0, -1] > 0.99


@pytest.mark.parametrize("in_log", [False, True])
def test_gain_ballistics_attack_when_the_gain_falls(in_log):
    processor = Compressor(energy_smoother=None, gain_smoother="ballistics", gain_smooth_in_log=in_log, knee="hard")
    u = torch.cat([torch.full((1, 1, 50), 1e-3), torch.ones(1, 1, 50), torch.full((1, 1, 50), 1e-3)], 2)
    z_alpha = torch.tensor([[-10.0, 4.0]])
    gain = (processor(u, log_threshold=torch.zeros(1, 1), log_ratio=torch.zeros(1, 1), z_alpha_post=z_alpha) / u)[0, 0]
    torch.testing.assert_close(gain[:50], torch.ones(50), rtol=1e-4, atol=1e-4)
    assert gain[50] < 0.06
    assert gain[100] < 0.1 and (gain[100:].diff() > 0).all() and gain[-1] > 0.2


def test_arguments_of_former_versions_are_accepted():
    Compressor(flashfftconv=True, max_input_len=2**16)
    NoiseGate(iir_len=8192, flashfftconv=False)


@pytest.mark.parametrize(
    "options, named",
    [
        ({"knee": "soft"}, "knee"),
        ({"energy_smoother": "fir"}, "energy_smoother"),
        ({"gain_smoother": True}, "gain_smoother"),
        ({"iir_len": 0}, "iir_len"),
    ],
)
def test_unknown_options_are_named(options, named):
    with pytest.raises(ParameterError, match=named):
        Compressor(**options)


def test_missing_and_surplus_parameters_are_named():
    zero = torch.zeros(1, 1)
    with pytest.raises(ParameterError, match="needs log_knee"):
        Compressor()(torch.rand(1, 1, 9), zero, zero, z_alpha_pre=zero)
    with pytest.raises(ParameterError, match="takes no z_alpha_post"):
        NoiseGate(knee="hard")(torch.rand(1, 1, 9), zero, zero, z_alpha_pre=zero, z_alpha_post=zero)


@pytest.mark.slow
def test_compiles_to_one_graph():
    processor = Compressor(gain_smoother="ballistics")
    u = torch.rand(1, 2, 64)
    p = {k: torch.zeros(1, n) for k, n in processor.parameter_size().items()}
    compiled = torch.compile(processor, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(u, **p), processor(u, **p))


def approx_reference(kind, u, p):
    """One node of the older pair, in float64."""
    z, log_threshold, log_ratio, log_knee = (
        p[name][0] for name in ("z_alpha", "log_threshold", "log_ratio", "log_knee")
    )
    level = np.log(iir((u**2).mean(0), [z], 40) + 1e-5)
    over, width = level - (log_threshold - 6), np.exp(log_knee)
    out = level.copy()
    inside = np.abs(over) <= width / 2
    if kind is ApproxCompressor:
        ratio = 1 + np.exp(log_ratio)
        above = over > width / 2
        out[above] += over[above] / ratio - over[above]
        out[inside] += (1 / ratio - 1) * (over[inside] + width / 2) ** 2 / (2 * width)
    else:
        ratio = np.exp(log_ratio)
        below = over < -width / 2
        out[below] += over[below] * ratio - over[below]
        out[inside] += (1 - ratio) * (over[inside] - width / 2) ** 2 / (2 * (width + 1e-3))
    return u * np.exp(out - level)


@pytest.mark.parametrize("kind", [ApproxCompressor, ApproxNoiseGate])
@pytest.mark.parametrize("channels", [1, 2])
def test_older_pair_follows_its_formula(kind, channels, rng):
    u = rng.normal(size=(5, channels, 301)) * np.exp(rng.uniform(-6, 0, size=(5, 1, 301)))
    p = make_parameters(rng, kind(40), 5)
    expected = [approx_reference(kind, u[b], {k: v[b] for k, v in p.items()}) for b in range(5)]
    for dtype, tolerance in ((torch.float64, 1e-8), (torch.float32, 1e-4)):
        y = kind(40)(torch.tensor(u, dtype=dtype), **{k: torch.tensor(v, dtype=dtype) for k, v in p.items()})
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * 1e-2)


def test_older_compressor_is_the_compressor_with_an_iir_filter(rng):
    u = torch.tensor(rng.normal(size=(2, 2, 200)))
    p = {k: torch.tensor(v) for k, v in make_parameters(rng, ApproxCompressor(), 2).items()}
    expected = Compressor(knee="quadratic")(
        u, **{"z_alpha_pre" if name == "z_alpha" else name: value for name, value in p.items()}
    )
    assert torch.equal(ApproxCompressor()(u, **p), expected)


@pytest.mark.parametrize("kind", [ApproxCompressor, ApproxNoiseGate])
def test_gradients_of_the_older_pair(kind, rng):
    processor = kind(8)
    u = torch.tensor(rng.normal(size=(2, 2, 12)), requires_grad=True)
    p = [torch.tensor(v, requires_grad=True) for v in make_parameters(rng, processor, 2).values()]
    assert gradcheck(processor, (u, *p))
    assert list(processor.parameter_size().items()) == [
        ("z_alpha", 1),
        ("log_threshold", 1),
        ("log_ratio", 1),
        ("log_knee", 1),
    ]


@pytest.mark.parametrize("kind", [ApproxCompressor, ApproxNoiseGate])
@pytest.mark.parametrize("raw", [-1e30, -1e4, -30.0, 30.0, 1e4, 1e30])
def test_older_pair_is_finite_for_extreme_parameters(kind, raw):
    processor = kind()
    u = torch.cat([torch.rand(1, 2, 64) * 10, torch.zeros(1, 2, 64)]).requires_grad_()
    for extreme in (*processor.parameter_size(), "all"):
        p = {k: torch.full((2, 1), raw if extreme in (k, "all") else 0.0) for k in processor.parameter_size()}
        y = processor(u, *[v.requires_grad_() for v in p.values()])
        assert y.isfinite().all()
        assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), [u, *p.values()]))


def test_smoother_of_the_older_gate_needs_a_sample():
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        ApproxNoiseGate(freq_sample_n=0)
