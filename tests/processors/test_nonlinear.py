import itertools
import math

import numpy as np
import pytest
import torch
from grafx.processors import (
    ArctanDistortion,
    ChebyshevDistortion,
    HardClip,
    PiecewiseTanhDistortion,
    PowerDistortion,
    TanhDistortion,
)
from grafx.processors.base import ParameterError

OPTIONS = list(itertools.product([True, False], repeat=4))
NAMES = ("pre_post_gain", "inverse_post_gain", "remove_dc", "use_bias")


def make(options, dtype=torch.float64, num_channels=2, num_samples=101, batch=3):
    processor = TanhDistortion(**dict(zip(NAMES, options, strict=True)))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, num_channels, num_samples, generator=generator, dtype=torch.float64).add(0.3).to(dtype)
    parameters = {
        name: torch.randn(batch, size, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for name, size in processor.parameter_size().items()
    }
    return processor, x.requires_grad_(), parameters


def formula(x, remove_dc, log_pre_gain=0.0, log_post_gain=None, bias=0.0):
    x = x - x.mean() if remove_dc else x
    post = -log_pre_gain if log_post_gain is None else log_post_gain
    return math.exp(post) * (np.tanh(math.exp(log_pre_gain) * x + bias) - math.tanh(bias))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("num_channels", [1, 2])
@pytest.mark.parametrize("options", OPTIONS)
def test_is_the_formula(options, num_channels, dtype):
    processor, x, parameters = make(options, dtype, num_channels)
    y = processor(x, **parameters)
    assert y.dtype == dtype
    for row, channel in itertools.product(range(3), range(num_channels)):
        values = {name: value[row, 0].item() for name, value in parameters.items()}
        expected = formula(x[row, channel].detach().double().numpy(), options[2], **values)
        tolerance = 1e-5 if dtype == torch.float32 else 1e-12
        np.testing.assert_allclose(y[row, channel].detach().double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("options", OPTIONS)
def test_gradients(options):
    processor, x, parameters = make(options, num_samples=7, batch=2)
    names = list(parameters)
    assert torch.autograd.gradcheck(
        lambda x, *values: processor(x, **dict(zip(names, values, strict=True))), (x, *parameters.values())
    )


@pytest.mark.parametrize("num_samples", [0, 1])
def test_short_signals(num_samples):
    processor, x, parameters = make((True, False, False, True), num_samples=num_samples, batch=1)
    assert processor(x, **parameters).shape == (1, 2, num_samples)


@pytest.mark.parametrize("raw", [-1e4, -30.0, 30.0, 1e4])
@pytest.mark.parametrize("level", [0.0, 1e-3, 10.0])
def test_extreme_parameters_stay_finite(raw, level):
    processor, x, parameters = make((True, False, True, True), torch.float32)
    x = (level * x.detach()).requires_grad_()
    parameters = {name: torch.full_like(value, raw).requires_grad_() for name, value in parameters.items()}
    y = processor(x, **parameters)
    y.square().mean().backward()
    assert y.isfinite().all() and x.grad.isfinite().all()
    assert all(value.grad.isfinite().all() for value in parameters.values())


def test_quiet_signals_keep_their_level():
    processor, x, parameters = make((True, True, False, False))
    quiet = 1e-6 * x.detach()
    torch.testing.assert_close(processor(quiet, **parameters), quiet, rtol=1e-6, atol=0)


def test_tanh_refuses_what_its_options_do_not_match():
    x, zero = torch.zeros(1, 1, 8), torch.zeros(1, 1)
    with pytest.raises(ParameterError, match="needs log_pre_gain"):
        TanhDistortion()(x)
    with pytest.raises(ParameterError, match="takes no log_post_gain"):
        TanhDistortion()(x, zero, zero)


PIECEWISE_OPTIONS = list(itertools.product([True, False], repeat=3))


def piecewise(options, batch=3, num_channels=2, num_samples=101, dtype=torch.float64):
    processor = PiecewiseTanhDistortion(*options)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, num_channels, num_samples, generator=generator, dtype=torch.float64).add(0.3).to(dtype)
    parameters = {
        name: torch.randn(batch, size, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for name, size in processor.parameter_size().items()
    }
    return processor, x.requires_grad_(), parameters


def piecewise_formula(x, remove_dc, log_hardness, z_threshold, log_pre_gain=(0.0,), log_post_gain=None):
    """One sample after another, in one of three branches."""
    post = -log_pre_gain[0] if log_post_gain is None else log_post_gain[0]
    (h_p, h_n), (k_p, k_n) = np.exp(log_hardness), 1 / (1 + np.exp(-np.asarray(z_threshold)))
    y = np.empty_like(x)
    for n, v in enumerate(math.exp(log_pre_gain[0]) * (x - x.mean() if remove_dc else x)):
        if v > k_p:
            y[n] = (1 - math.tanh(k_p) ** 2) / h_p * math.tanh(h_p * (v - k_p)) + math.tanh(k_p)
        elif v < -k_n:
            y[n] = (1 - math.tanh(k_n) ** 2) / h_n * math.tanh(h_n * (v + k_n)) - math.tanh(k_n)
        else:
            y[n] = math.tanh(v)
    return math.exp(post) * y


@pytest.mark.parametrize("options", PIECEWISE_OPTIONS)
@pytest.mark.parametrize("num_channels", [1, 2])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_piecewise_tanh_is_the_formula(options, num_channels, dtype, tolerance):
    processor, x, parameters = piecewise(options, num_channels=num_channels, dtype=dtype)
    y = processor(x, **parameters)
    assert y.dtype == dtype
    for row, channel in itertools.product(range(3), range(num_channels)):
        values = {name: value[row].detach().double().numpy() for name, value in parameters.items()}
        expected = piecewise_formula(x[row, channel].detach().double().numpy(), options[2], **values)
        np.testing.assert_allclose(y[row, channel].detach().double(), expected, rtol=tolerance, atol=tolerance)


def test_piecewise_tanh_parameters():
    sizes = {"log_hardness": 2, "z_threshold": 2}
    assert PiecewiseTanhDistortion().parameter_size() == {**sizes, "log_pre_gain": 1}
    both = {**sizes, "log_pre_gain": 1, "log_post_gain": 1}
    assert PiecewiseTanhDistortion(inverse_post_gain=False).parameter_size() == both
    assert PiecewiseTanhDistortion(pre_post_gain=False).parameter_size() == sizes
    with pytest.raises(ParameterError, match="takes no log_pre_gain"):
        PiecewiseTanhDistortion(False)(torch.zeros(1, 1, 8), torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1, 1))


@pytest.mark.versions
def test_piecewise_tanh_is_continuous_in_value_and_slope():
    z, log_hardness = torch.tensor([[0.7, -1.5]]).double(), torch.tensor([[2.0, -1.0]]).double()
    processor = PiecewiseTanhDistortion(pre_post_gain=False)
    for threshold in (torch.sigmoid(z[0, 0]), -torch.sigmoid(z[0, 1])):
        x = (threshold + 1e-9 * torch.tensor([-1.0, 0.0, 1.0]).double()).reshape(1, 1, 3).requires_grad_()
        y = processor(x, log_hardness, z)
        (slope,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(y, threshold.tanh().expand(1, 1, 3), rtol=0, atol=2e-9)
        torch.testing.assert_close(slope, (1 - threshold.tanh() ** 2).expand(1, 1, 3), rtol=0, atol=1e-7)


def test_first_of_the_two_thresholds_is_that_of_the_positive_half():
    x = torch.tensor([[[0.5, -0.5]]])
    hard, thresholds = torch.full((1, 2), 10.0), torch.tensor([[-50.0, 50.0]])
    y = PiecewiseTanhDistortion(pre_post_gain=False)(x, hard, thresholds)
    torch.testing.assert_close(y, torch.tensor([[[0.0, math.tanh(-0.5)]]]), atol=1e-4, rtol=0)


@pytest.mark.versions
@pytest.mark.parametrize("options", PIECEWISE_OPTIONS)
def test_gradients_of_piecewise_tanh(options):
    processor, x, parameters = piecewise(options, batch=2, num_samples=7)
    names = list(parameters)
    assert torch.autograd.gradcheck(
        lambda x, *values: processor(x, **dict(zip(names, values, strict=True))), (x, *parameters.values())
    )


SERIES = [PowerDistortion, ChebyshevDistortion]


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize("pre_gain, remove_dc, use_tanh", PIECEWISE_OPTIONS)
@pytest.mark.parametrize("num_channels", [1, 2])
def test_series_are_sums_over_their_basis(kind, pre_gain, remove_dc, use_tanh, num_channels, rng):
    processor = kind(7, pre_gain, remove_dc, use_tanh)
    x, weights = rng.uniform(-1, 0.8, size=(3, num_channels, 60)), rng.standard_normal((3, 7))
    log_gain = 0.5 * rng.standard_normal((3, 1)) if pre_gain else None
    y = processor(*(None if v is None else torch.from_numpy(v) for v in (x, weights, log_gain))).numpy()
    v = x - x.mean(-1, keepdims=True) if remove_dc else x
    v = v * (np.exp(log_gain)[..., None] if pre_gain else 1)
    for k in range(7):
        inside = np.abs(v) <= 1
        cosine = np.cos(k * np.arccos(np.clip(v, -1, 1)))
        outside = np.sign(v) ** k * np.cosh(k * np.arccosh(np.maximum(np.abs(v), 1)))
        p = v**k if kind is PowerDistortion else np.where(inside, cosine, outside)
        y = y - np.tanh(weights[:, k, None, None]) * (np.tanh(p) if use_tanh else p)
    np.testing.assert_allclose(y, 0, atol=1e-9)


@pytest.mark.parametrize("kind", SERIES)
def test_parameters_of_series(kind):
    assert kind().parameter_size() == {"basis_weights": 10, "log_pre_gain": 1}
    assert kind(max_order=3, pre_gain=False).parameter_size() == {"basis_weights": 3}
    with pytest.raises(ParameterError, match="needs log_pre_gain"):
        kind(3)(torch.zeros(1, 1, 8), torch.zeros(1, 3))
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        kind(max_order=0)


@pytest.mark.parametrize("kind", SERIES)
def test_gradients_of_series(kind, rng):
    processor = kind(6, remove_dc=True)
    x, weights, gain = (
        torch.tensor(0.5 * rng.standard_normal(s), requires_grad=True) for s in ((2, 2, 7), (2, 6), (2, 1))
    )
    assert torch.autograd.gradcheck(processor, (x, weights, gain))


@pytest.mark.parametrize(
    "processor",
    [PiecewiseTanhDistortion(inverse_post_gain=False), PowerDistortion(), ChebyshevDistortion(use_tanh=True)],
)
@pytest.mark.parametrize("raw", [-1e30, -1e4, -30.0, 30.0, 1e4, 1e30])
@pytest.mark.parametrize("level", [0.0, 1e-3, 10.0])
def test_extreme_parameters_stay_finite_in_all_distortions(processor, raw, level):
    x = (level * torch.linspace(-1, 1, 101)).expand(2, 2, -1).clone().requires_grad_()
    for extreme in (*processor.parameter_size(), "all"):
        p = {
            name: torch.full((2, size), raw if extreme in (name, "all") else 0.3).requires_grad_()
            for name, size in processor.parameter_size().items()
        }
        y = processor(x, **p)
        assert y.isfinite().all()
        assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), [x, *p.values()]))


@pytest.mark.parametrize(
    "processor", [PiecewiseTanhDistortion(), PowerDistortion(), ChebyshevDistortion(use_tanh=True)]
)
def test_distortions_compile_to_one_graph(processor):
    x = torch.rand(1, 2, 64)
    p = {name: torch.zeros(1, size) for name, size in processor.parameter_size().items()}
    compiled = torch.compile(processor, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, **p), processor(x, **p))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("drive", [0.1, 1.0, 30.0])
def test_arctangent_is_the_formula(drive, dtype):
    x = torch.linspace(-3, 3, 101, dtype=dtype).reshape(1, 1, -1)
    y = ArctanDistortion()(x, dsp_params={"drive": drive})
    assert y.dtype == dtype
    expected = 2 / np.pi * np.arctan(drive * x[0, 0].double().numpy())
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-6 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_arctangent_stays_within_one(dtype):
    x = torch.tensor([[[1e30, -1e30, 1.0, 0.0]]], dtype=dtype, requires_grad=True)
    log_drive = torch.full((1, 1), 1e6, dtype=dtype, requires_grad=True)
    y = ArctanDistortion()(x, log_drive)
    assert y.abs().max() <= 1
    y.sum().backward()
    assert x.grad.isfinite().all() and log_drive.grad.isfinite().all()


def test_hard_clip_keeps_within_its_range():
    x = torch.tensor([[[-7.0, -2.0, 0.3, 5.0, 9.0]]], requires_grad=True)
    y = HardClip(-2, 5)(x)
    torch.testing.assert_close(y, torch.tensor([[[-2, -2, 0.3, 5, 5]]]))
    y.sum().backward()
    assert x.grad[0, 0, [0, 2, 4]].tolist() == [0, 1, 0]


def test_a_range_that_does_not_ascend_is_refused():
    with pytest.raises(ParameterError, match="HardClip needs low < high, not 1 and 1"):
        HardClip(1, 1)
