import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.stereo import SideGainImager, StereoGain

EXTREMES = [-1e4, -50.0, 0.0, 50.0, 1e4]


def parameter(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("channels", [1, 2])
def test_stereo_gain_scales_each_channel(channels, rng):
    x, log_gain = rng.standard_normal((3, channels, 17)), rng.standard_normal((3, 2))
    y = StereoGain()(torch.from_numpy(x), torch.from_numpy(log_gain))
    np.testing.assert_allclose(y, np.exp(log_gain)[..., None] * np.broadcast_to(x, (3, 2, 17)), rtol=1e-12)


def test_imager_scales_the_side(rng):
    x, log_gain = rng.standard_normal((3, 2, 17)), rng.standard_normal((3, 1))
    y = SideGainImager()(torch.from_numpy(x), torch.from_numpy(log_gain))
    mid, side = x.mean(1), (x[:, 0] - x[:, 1]) / 2 * np.exp(log_gain)
    np.testing.assert_allclose(y, np.stack([mid + side, mid - side], 1), rtol=1e-12)


def test_imager_keeps_mono_material_at_any_width(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 50))).float().expand(-1, 2, -1)
    for log_gain in EXTREMES:
        assert torch.equal(SideGainImager()(x, torch.tensor([[log_gain]])), x)


@pytest.mark.parametrize("processor, size", [(StereoGain(), 2), (SideGainImager(), 1)])
@pytest.mark.parametrize("batch, length", [(1, 5), (2, 4), (2, 0)])
def test_gradients(processor, size, batch, length, rng):
    x = torch.from_numpy(rng.standard_normal((batch, 2, length))).requires_grad_()
    log_gain = torch.from_numpy(rng.standard_normal((batch, size))).requires_grad_()
    if length:
        assert torch.autograd.gradcheck(processor, (x, log_gain))
    processor(x, log_gain).sum().backward()
    assert x.grad.shape == x.shape
    assert log_gain.grad.shape == log_gain.shape
    assert processor.parameter_size() == {"log_gain": size}


def test_gradient_of_a_mono_signal_sums_over_both_outputs(rng):
    x = torch.from_numpy(rng.standard_normal((2, 1, 4))).requires_grad_()
    assert torch.autograd.gradcheck(StereoGain(), (x, parameter([[0.1, -0.3], [1.0, 0.0]])))


@pytest.mark.parametrize("processor, size", [(StereoGain(), 2), (SideGainImager(), 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_gains_are_finite(processor, size, dtype, rng):
    x = torch.from_numpy(rng.standard_normal((len(EXTREMES), 2, 64))).to(dtype).requires_grad_()
    log_gain = parameter([[v] * size for v in EXTREMES], dtype)
    y = processor(x, log_gain)
    y.square().sum().backward()
    assert y.dtype == dtype
    for tensor in (y, x.grad, log_gain.grad):
        assert torch.isfinite(tensor).all()


def test_arguments_are_left_alone(rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 9)))
    before = x.clone()
    SideGainImager()(x, torch.ones(1, 1).double())
    assert torch.equal(x, before)


def test_imager_refuses_a_mono_signal():
    with pytest.raises(ParameterError, match=r"SideGainImager needs a stereo signal.*\(1, 1, 8\)"):
        SideGainImager()(torch.zeros(1, 1, 8), torch.zeros(1, 1))
