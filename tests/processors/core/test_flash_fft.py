"""FlashFFTConv runs on GPUs only, so a stand-in takes its place that is as demanding as it is."""

import sys
from types import SimpleNamespace

import pytest
import torch
from grafx.processors.core.backends import flash_fft
from grafx.processors.core.convolution import FIRConvolution, convolve


class StandIn(torch.nn.Module):
    calls = 0

    def __init__(self, seqlen, dtype):
        super().__init__()
        assert seqlen.bit_count() == 1 and 2**8 <= seqlen <= 2**22
        self.seqlen, self.dtype = seqlen, dtype

    def forward(self, u, k):
        StandIn.calls += 1
        assert u.is_contiguous() and k.is_contiguous()
        assert (u.dtype, k.dtype) == (self.dtype, torch.float32)
        assert u.shape[1:] == k.shape and 2 * u.shape[2] == self.seqlen
        assert self.seqlen <= 32768 or u.shape[1] % 16 == 0
        spectrum = torch.fft.rfft(u.float(), self.seqlen) * torch.fft.rfft(k, self.seqlen)
        return torch.fft.irfft(spectrum, self.seqlen)[..., : u.shape[2]].to(u.dtype)


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "flashfftconv", SimpleNamespace(FlashFFTConv=StandIn))
    monkeypatch.setattr(flash_fft, "is_supported", lambda: True)
    monkeypatch.setattr(flash_fft, "takes", lambda x, h, delay: True)
    monkeypatch.setattr(StandIn, "calls", 0)
    flash_fft._transform.cache_clear()
    yield StandIn
    flash_fft._transform.cache_clear()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", ["causal", "zerophase"])
@pytest.mark.parametrize(
    "x_shape, h_shape", [((2, 2, 300), (2, 1, 51)), ((1, 1, 1), (3, 2, 9)), ((17, 2, 40000), (1, 2, 8))]
)
def test_convolves_to_half_precision(stand_in, mode, x_shape, h_shape):
    generator = torch.Generator().manual_seed(0)
    x, h = (torch.randn(shape, generator=generator, requires_grad=True) for shape in (x_shape, h_shape))
    results = []
    for flashfftconv in (True, False):
        y = FIRConvolution(mode, flashfftconv)(x, h)
        gradients = torch.autograd.grad((y * torch.linspace(-1, 1, y.shape[-1])).sum(), (x, h))
        results.append((y, *gradients))
    assert stand_in.calls == 1
    for ours, reference in zip(*results, strict=True):
        assert (ours.shape, ours.dtype) == (reference.shape, torch.float32)
        assert (ours - reference).norm() < 0.02 * reference.norm()


def test_longer_signals_take_the_native_convolution(stand_in, rng):
    x, h = (torch.from_numpy(rng.standard_normal((2, 2, n))).float() for n in (30, 7))
    torch.testing.assert_close(FIRConvolution(flashfftconv=True, max_input_len=29)(x, h), convolve(x, h))
    assert stand_in.calls == 0


def test_signals_elsewhere_take_the_native_convolution(stand_in, monkeypatch, rng):
    monkeypatch.undo()
    monkeypatch.setattr(flash_fft, "is_supported", lambda: True)
    x, h = (torch.from_numpy(rng.standard_normal((2, 2, n))).float() for n in (30, 7))
    torch.testing.assert_close(FIRConvolution(flashfftconv=True)(x, h), convolve(x, h))
