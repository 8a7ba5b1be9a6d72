import numpy as np
import torch
from grafx.processors.core.loudness import rms_difference
from torch.autograd import gradcheck


def test_rms_difference_is_summed_over_the_batch(rng):
    x, y = rng.normal(size=(3, 2, 50)), 0.3 * rng.normal(size=(3, 1, 50))
    expected = np.abs(np.log((x**2).mean((1, 2)) + 1e-7) - np.log((y**2).mean((1, 2)) + 1e-7)).sum()
    np.testing.assert_allclose(rms_difference(torch.tensor(x), torch.tensor(y)), expected)


def test_gradients_even_of_silence(rng):
    x, y = (torch.tensor(rng.normal(size=(2, 2, 9)), requires_grad=True) for _ in range(2))
    assert gradcheck(rms_difference, (x, y))
    silence = torch.zeros(2, 2, 9, requires_grad=True)
    (grad,) = torch.autograd.grad(rms_difference(silence, torch.ones(2, 2, 9)), silence)
    assert (grad == 0).all()
    assert rms_difference(torch.zeros(2, 2, 0), torch.zeros(2, 2, 0)) == 0
