import pytest
import torch
from grafx.processors.core.gain import apply_gain, mean_square, peak_square
from torch.autograd import gradcheck, gradgradcheck


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_energy_and_gain_of_all_channels(rng, channels, length):
    u = torch.tensor(rng.normal(size=(2, channels, length)), requires_grad=True)
    gain = torch.tensor(rng.normal(size=(2, length)), requires_grad=True)
    torch.testing.assert_close(mean_square(u), (u**2).mean(1))
    torch.testing.assert_close(peak_square(u), (u**2).max(1).values)
    torch.testing.assert_close(apply_gain(u, gain), u * gain[:, None])
    if length:
        assert gradcheck(mean_square, u)
        assert gradcheck(peak_square, u)
        assert gradcheck(apply_gain, (u, gain))
        assert gradgradcheck(mean_square, u)
        assert gradgradcheck(apply_gain, (u, gain))


def test_gain_alone_can_need_a_gradient(rng):
    u, gain = torch.tensor(rng.normal(size=(2, 2, 5))), torch.ones(2, 5, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(apply_gain(u, gain).sum(), gain)
    torch.testing.assert_close(grad, u.sum(1))
