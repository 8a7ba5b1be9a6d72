import itertools
import math

import numpy as np
import pytest
import torch
from grafx.processors import TanhDistortion

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
