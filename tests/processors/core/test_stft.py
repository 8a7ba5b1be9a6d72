import pytest
import torch
from grafx.processors.core.stft import frames_of, masked_istft, overlap_add, stft, synthesis_windows
from torch.autograd import gradcheck

LAYOUTS = [(32, 16, 200), (32, 10, 207), (33, 11, 300), (48, 13, 1000), (384, 192, 1000), (8, 4, 9)]


@pytest.mark.parametrize(("n", "hop", "num_samples"), LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_torchs_transforms(n, hop, num_samples, dtype):
    window = torch.hann_window(n, dtype=dtype)
    x = torch.rand(2, num_samples, dtype=dtype)
    spectra = stft(x, window, hop)
    torch.testing.assert_close(spectra.mT, torch.stft(x, n, hop, window=window, return_complex=True))
    mask = torch.rand(3, *spectra.shape, dtype=dtype, requires_grad=True)
    windows = synthesis_windows(window, hop, spectra.shape[-2])
    found = masked_istft(spectra, mask, windows, hop, num_samples)
    masked = (spectra * mask).mT.flatten(0, 1)
    expected = torch.istft(masked, n, hop, window=window, length=num_samples).unflatten(0, (3, 2))
    torch.testing.assert_close(found, expected)
    weights = torch.randn(3, 2, num_samples, dtype=dtype)
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), mask), torch.autograd.grad((expected * weights).sum(), mask)
    )


def test_a_mask_of_ones_gives_the_signal_back():
    window, x = torch.hann_window(32).double(), torch.randn(1, 333).double()
    spectra = stft(x, window, 8)
    windows = synthesis_windows(window, 8, spectra.shape[-2])
    torch.testing.assert_close(masked_istft(spectra, torch.ones(spectra.shape).double(), windows, 8, 320), x[:, :320])


def test_a_broadcast_mask_gets_the_sum_of_gradients():
    window, x = torch.hann_window(8).double(), torch.randn(2, 30).double()
    spectra = stft(x, window, 4)
    mask = torch.rand(1, *spectra.shape[1:]).double().requires_grad_()
    windows = synthesis_windows(window, 4, spectra.shape[-2])
    assert gradcheck(lambda m: masked_istft(spectra, m, windows, 4, 30), mask)


@pytest.mark.parametrize("hop", [1, 3, 5, 7])
def test_framing_is_the_transpose_of_overlap_add(hop):
    frames, x = torch.randn(2, 4, 5).double(), torch.randn(2, 3 * hop + 5).double()
    added = overlap_add(frames, hop)[..., : x.shape[-1]]
    torch.testing.assert_close((added * x).sum(), (frames * frames_of(x, 4, 5, hop)).sum())
