import numpy as np
import torch
from grafx.processors.core.midside import lr_to_ms, ms_to_lr


def test_mid_is_the_mean_and_side_half_the_difference(rng):
    x = rng.standard_normal((3, 2, 11))
    mid, side = lr_to_ms(torch.from_numpy(x)).unbind(1)
    np.testing.assert_allclose(mid, x.mean(1), atol=1e-15)
    np.testing.assert_allclose(side, (x[:, 0] - x[:, 1]) / 2, atol=1e-15)


def test_conversions_invert_each_other(rng):
    x = torch.from_numpy(rng.standard_normal((3, 2, 11)))
    torch.testing.assert_close(ms_to_lr(lr_to_ms(x)), x)
    torch.testing.assert_close(lr_to_ms(ms_to_lr(x)), x)


def test_gradients(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 3))).requires_grad_()
    assert torch.autograd.gradcheck(lr_to_ms, x)
    assert torch.autograd.gradcheck(ms_to_lr, x)
