import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.sliding import sliding_maximum
from torch.autograd import gradcheck


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 15, 31, 32])
def test_it_is_the_largest_of_each_window(rng, size):
    u = rng.normal(size=(2, 3, 32))
    expected = np.lib.stride_tricks.sliding_window_view(u, size, -1).max(-1)
    y = sliding_maximum(torch.tensor(u), size)
    np.testing.assert_array_equal(y, expected)
    assert gradcheck(lambda u: sliding_maximum(u, size), torch.tensor(u, requires_grad=True))


@pytest.mark.parametrize("size", [0, 7])
def test_the_window_must_fit(size):
    with pytest.raises(ParameterError, match=f"within 5 samples and cannot be {size}"):
        sliding_maximum(torch.zeros(1, 5), size)


def test_the_first_of_equal_samples_gets_the_gradient():
    u = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0], requires_grad=True)
    sliding_maximum(u, 3).sum().backward()
    torch.testing.assert_close(u.grad, torch.tensor([0.0, 2.0, 1.0, 0.0, 0.0]))
