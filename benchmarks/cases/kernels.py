"""Single kernels of several packages with the same tensors.

A function named ``<kernel>_<package>`` imports its package and returns the function to measure. Those of one kernel
compute the same, as far as possible.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Function = Callable[..., "Tensor"]

PROBES = 64
IIR_LEN = 16384
STATIC_CURVE = {"comp_thresh": -18.0, "comp_ratio": 4.0, "exp_thresh": -48.0, "exp_ratio": 0.5}


def kernel(
    name: str, package: str, train: bool, device: str = "cpu", **sizes: int
) -> Callable[[], dict[str, list[float]]]:
    """Run a kernel, without gradients or with those of all of its tensors.

    Args:
        name: Name of the kernel, ``smoothing`` for example.
        package: Package, as in the names of the functions of this module.
        train: Whether to compute gradients.
        device: Device of the tensors.
        **sizes: Sizes of the tensors.

    Returns:
        A function to run, which returns as ``probes`` some numbers of the output, or of the signals' gradient.
    """
    import torch

    tensors = [tensor.to(device).requires_grad_(train) for tensor in INPUTS[name](**sizes)]
    function = globals()[f"{name}_{package}"]()
    weights = torch.randn(tensors[0].shape).to(device)

    def run() -> dict[str, list[float]]:
        y = function(*tensors)
        if train:
            y, *_ = torch.autograd.grad(y, tensors, weights)
        return {"probes": y.flatten()[:: y.numel() // PROBES].tolist()}

    return run


def energies(tracks: int, samples: int) -> tuple["Tensor", ...]:
    """Make energies of both channels of each track, and logits of slow coefficients."""
    import torch

    return torch.randn(2 * tracks, samples).square(), torch.empty(2 * tracks, 1).uniform_(3, 7)


def levels(tracks: int, samples: int) -> tuple["Tensor", ...]:
    """Make levels between 0 and 1, and logits of attack and release."""
    import torch

    return torch.rand(2 * tracks, samples), torch.empty(2 * tracks, 2).uniform_(-7, -3)


def sections(tracks: int, samples: int, sections: int) -> tuple["Tensor", ...]:
    """Make stereo signals and stable biquads, (b₀, b₁, b₂) and (a₀, a₁, a₂), one cascade for both channels."""
    import torch

    def roots(most: float) -> torch.Tensor:
        radius, angle = torch.empty(2, tracks, 1, sections).uniform_(0.5, most)[0], torch.rand(tracks, 1, sections)
        return torch.stack([torch.ones_like(angle), -2 * radius * torch.cos(3 * angle), radius.square()], -1)

    return torch.randn(tracks, 2, samples), roots(0.9), roots(0.98)


def responses(tracks: int, samples: int, taps: int) -> tuple["Tensor", ...]:
    """Make stereo signals, and decaying noise."""
    import torch

    decay = torch.exp(-6 * torch.arange(taps) / taps)
    return torch.randn(tracks, 2, samples), torch.randn(tracks, 2, taps) * decay / taps**0.5


INPUTS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "smoothing": energies,
    "ballistics": levels,
    "gain": levels,
    "biquads": sections,
    "convolution": responses,
}


def smoothing_ours() -> Function:
    import torch
    from grafx.processors.core.recursion import onepole

    return lambda u, z: onepole(u, torch.sigmoid(z.squeeze(-1).double()), taps=IIR_LEN)


def smoothing_grafx06() -> Function:
    from grafx.processors.core.envelope import TruncatedOnePoleIIRFilter

    return TruncatedOnePoleIIRFilter(iir_len=IIR_LEN, flashfftconv=False)


def smoothing_grafx06_repaired() -> Function:
    return repair(smoothing_grafx06())


def smoothing_torchaudio() -> Function:
    import torch
    from torchaudio.functional import lfilter

    def smooth(u: "Tensor", z: "Tensor") -> "Tensor":
        alpha, zero, one = torch.sigmoid(z), torch.zeros_like(z), torch.ones_like(z)
        return lfilter(u, torch.cat([one, -alpha], -1), torch.cat([1 - alpha, zero], -1), clamp=False)

    return smooth


def smoothing_torchlpc() -> Function:
    import torch
    from torchlpc import sample_wise_lpc

    def smooth(u: "Tensor", z: "Tensor") -> "Tensor":
        alpha = torch.sigmoid(z)
        return sample_wise_lpc((1 - alpha) * u, -alpha.unsqueeze(-1).expand(*u.shape, 1))

    return smooth


# Of the two numbers in z, 1 − σ is the coefficient while falling and while rising, as GRAFX 0.6.0 has it.


def ballistics_ours() -> Function:
    import torch
    from grafx.processors.core.recursion import ballistics

    def smooth(u: "Tensor", z: "Tensor") -> "Tensor":
        falling, rising = torch.sigmoid(-z.double()).unbind(-1)
        return ballistics(u, rising, falling, initial=1.0)

    return smooth


def ballistics_grafx06() -> Function:
    from grafx.processors.core.envelope import Ballistics

    return Ballistics()


def gain_ours() -> Function:
    import torch

    smooth, curve = ballistics_ours(), STATIC_CURVE

    def gain(rms: "Tensor", z: "Tensor") -> "Tensor":
        level = 20 * torch.log10(rms)
        compressed = (1 - 1 / curve["comp_ratio"]) * (curve["comp_thresh"] - level)
        expanded = (1 - 1 / curve["exp_ratio"]) * (curve["exp_thresh"] - level)
        return smooth(10 ** (torch.minimum(compressed, expanded).clamp(max=0) / 20), z)

    return gain


def gain_torchcomp() -> Function:
    import torch
    from torchcomp import compexp_gain

    def gain(rms: "Tensor", z: "Tensor") -> "Tensor":
        attack, release = torch.sigmoid(z).unbind(-1)
        return compexp_gain(rms, **STATIC_CURVE, at=attack, rt=release)

    return gain


def biquads_ours() -> Function:
    import torch
    from grafx.processors.core.biquad import biquad_cascade

    return lambda x, b, a: biquad_cascade(x, torch.cat([b, a], -1))[0]


def biquads_grafx06(backend: str) -> Function:
    from grafx.processors.core.iir import IIRFilter

    return IIRFilter(order=2, backend=backend, flashfftconv=False)


biquads_grafx06_fsm = partial(biquads_grafx06, "fsm")
biquads_grafx06_lfilter = partial(biquads_grafx06, "lfilter")
biquads_grafx06_ssm = partial(biquads_grafx06, "ssm")


def biquads_grafx06_fsm_repaired() -> Function:
    return repair(biquads_grafx06("fsm"))


def biquads_torchaudio() -> Function:
    from torchaudio.functional import lfilter

    def cascade(x: "Tensor", b: "Tensor", a: "Tensor") -> "Tensor":
        y = x.flatten(0, 1)
        for numerator, denominator in zip(b.unbind(2), a.unbind(2), strict=True):
            y = lfilter(y, _per_row(denominator, x), _per_row(numerator, x), clamp=False)
        return y.view_as(x)

    return cascade


def biquads_torchlpc() -> Function:
    import torch.nn.functional as F
    from torchlpc import sample_wise_lpc

    def cascade(x: "Tensor", b: "Tensor", a: "Tensor") -> "Tensor":
        y = x.flatten(0, 1)
        for numerator, denominator in zip(b.unbind(2), a.unbind(2), strict=True):
            b0, b1, b2 = _per_row(numerator, x).unsqueeze(-1).unbind(1)
            late = F.pad(y, (2, 0))
            poles = _per_row(denominator, x)[:, None, 1:].expand(*y.shape, 2)
            y = sample_wise_lpc(b0 * y + b1 * late[:, 1:-1] + b2 * late[:, :-2], poles)
        return y.view_as(x)

    return cascade


def biquads_dasp() -> Function:
    import torch
    from dasp_pytorch.signal import sosfilt_via_fsm

    return lambda x, b, a: sosfilt_via_fsm(torch.cat([b, a], -1).squeeze(1), x)


def _per_row(coefficients: "Tensor", x: "Tensor") -> "Tensor":
    return coefficients.expand(*x.shape[:2], 3).flatten(0, 1)


def convolution_ours() -> Function:
    from grafx.processors.core.convolution import convolve

    return convolve


def convolution_flash() -> Function:
    from importlib import import_module

    from grafx.processors.core.convolution import FIRConvolution

    import_module("flashfftconv")  # where it is not installed there is nothing to measure
    return FIRConvolution(flashfftconv=True)


def convolution_grafx06() -> Function:
    from grafx.processors.core.convolution import FIRConvolution

    return FIRConvolution(mode="causal", flashfftconv=False)


def convolution_grafx06_repaired() -> Function:
    return repair(convolution_grafx06())


def convolution_torchaudio() -> Function:
    from torchaudio.functional import fftconvolve

    return lambda x, h: fftconvolve(x, h)[..., : x.shape[-1]]


def repair(processor: "Module") -> "Module":
    """Patch the convolutions of GRAFX 0.6.0 in a processor to be correct for even and odd lengths."""
    from grafx.processors.core.convolution import FIRConvolution

    for module in processor.modules():
        if isinstance(module, FIRConvolution):
            module.forward = partial(_convolve_even, module.forward)
    return processor


def _convolve_even(convolve: Function, input_signals: "Tensor", fir: "Tensor") -> "Tensor":
    """Convolve by a function that is wrong for full results of odd length."""
    import torch.nn.functional as F

    if (input_signals.shape[-1] + fir.shape[-1] - 1) % 2 == 0:
        return convolve(input_signals, fir)
    return convolve(F.pad(input_signals, (0, 1)), fir)[..., :-1]
