import numpy as np
import torch
from grafx.processors.core.band_energy import band_energy
from scipy import signal


def test_a_sine_in_the_middle_has_no_ripple():
    w0 = torch.tensor([[0.05], [0.3], [2.0]], dtype=torch.float64)
    n = np.arange(4000)
    x = torch.stack([torch.from_numpy(0.7 * np.sin(w * n)) for w in w0[:, 0].numpy()])[:, None]
    energy = band_energy(x, w0)[..., 2000:]
    torch.testing.assert_close(energy, torch.full_like(energy, 0.7**2 / 2), rtol=1e-6, atol=0)


def test_it_is_the_mean_over_channels_of_both_squares(rng):
    x, w = rng.standard_normal((2, 2, 500)), 0.4
    c = np.tan(w / 2)
    turned = signal.lfilter([(c - 1) / (c + 1), 1], [1, (c - 1) / (c + 1)], x)
    energy = band_energy(torch.from_numpy(x), torch.full((2, 1), w, dtype=torch.float64))
    np.testing.assert_allclose(energy, (x**2 + turned**2).mean(1) / 2, atol=1e-10)
