"""Recursive filters with coefficients given in each call."""

import math
from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_known
from ..errors import ParameterError
from .biquad import decay_samples
from .convolution import FIRConvolution
from .fourier import irfft
from .precision import wide
from .state_space import state_space
from .state_variable import biquads
from .streaming import in_blocks, once

BACKENDS = ("lfilter", "fsm", "ssm")
SMALLEST_SQUARE = 1e-18  # of a denominator where rounding puts a pole onto the unit circle, relative to a₀²


class IIRFilter(nn.Module):
    r"""Filter by first- or second-order sections in series.

    .. math:: H(z) = \prod_{k=1}^{K} \frac{b_{k,0} + b_{k,1} z^{-1} + b_{k,2} z^{-2}}
        {a_{k,0} + a_{k,1} z^{-1} + a_{k,2} z^{-2}}

    The backends differ in the computation:

    ========= =========================================================================================
    lfilter   The exact recursion in one pass, :func:`~grafx.processors.core.state_variable.biquads`.
    ssm       The exact recursion of each section as a linear system with two states,
              :func:`~grafx.processors.core.state_space.state_space`.
    fsm       The frequency-sampling method: H is sampled at N points of the unit circle, and the signal is
              convolved with the corresponding N taps. In place of h[n] it has :math:`\sum_m h[n + m N]`, an error of
              the response after N samples; and it works in the precision of the signals, coefficients included.
    ========= =========================================================================================

    All are differentiable with respect to signals and coefficients. The exact recursion keeps double-precision
    coefficients, and is the fastest for a batch of signals, hence the default.

    Args:
        order: 2, or 1 for first-order sections.
        backend: ``"lfilter"``, ``"fsm"`` or ``"ssm"``.
        flashfftconv: See :class:`~grafx.processors.core.convolution.FIRConvolution`; for ``"fsm"`` only, since the
            others do not convolve.
        fsm_fir_len: N, the number of taps for ``"fsm"``.
        fsm_max_input_len: The ``max_input_len`` of that convolution.
        fsm_regularization: Only false is accepted. There is no loss that keeps responses shorter than N, since the
            exact backends need none.
        max_input_len: Alias of ``fsm_max_input_len``.

    Raises:
        ParameterError: An unknown backend, an unsupported order, no taps, or a regularization.

    References:
        Nercessian, "Neural parametric equalizer matching using differentiable biquads", DAFx 2020, for the
        frequency-sampling method; Yu et al., "Differentiable all-pole filters for time-varying audio systems", DAFx
        2024, for recursions.
    """

    def __init__(
        self,
        order: int = 2,
        backend: str = "lfilter",
        flashfftconv: bool = False,
        fsm_fir_len: int = 4000,
        fsm_max_input_len: int = 2**17,
        fsm_regularization: bool = False,
        *,
        max_input_len: int | None = None,
    ):
        super().__init__()
        check_known("backend", backend, BACKENDS)
        if order not in (1, 2):
            raise ParameterError(f"order is that of each section, 1 or 2, not {order}: put several in series.")
        if fsm_fir_len < 1:
            raise ParameterError(f"fsm_fir_len is a number of taps and must be at least 1, not {fsm_fir_len}.")
        if fsm_regularization:
            raise ParameterError(
                "fsm_regularization=True is not there: take backend='lfilter', whose responses are as long as they are."
            )
        self.order = order
        self.backend = backend
        self.fsm_fir_len = fsm_fir_len
        longest = fsm_max_input_len if max_input_len is None else max_input_len
        self.conv = FIRConvolution("causal", flashfftconv, longest) if backend == "fsm" else None

    def forward(self, input_signal: Tensor, Bs: Tensor, As: Tensor) -> Tensor:
        """Filter signals from rest.

        Args:
            input_signal: ``(B, C, L)``.
            Bs: Numerators ``(B, C', K, order + 1)``. Batch and channels broadcast with those of the signals.
            As: Denominators of the same shape, normalized or not.

        Returns:
            ``(B, max(C, C'), L)``.

        Raises:
            ParameterError: A shape does not fit.
        """
        if Bs.ndim != 4 or Bs.shape != As.shape or Bs.shape[-1] != self.order + 1:
            raise ParameterError(
                f"Coefficients of order {self.order} are (batch, channels, sections, {self.order + 1}), but Bs is "
                f"{tuple(Bs.shape)} and As {tuple(As.shape)}."
            )
        if self.conv is not None:
            Bs, As = (c.to(input_signal.dtype) for c in (Bs, As))
            return self.conv(input_signal, once(partial(sampled_response, num_taps=self.fsm_fir_len), Bs, As))
        sos = torch.cat([F.pad(c, (0, 2 - self.order)) for c in (Bs, As)], -1)
        if self.backend == "ssm" and not in_blocks():
            return _in_state_space(input_signal, sos)
        return biquads(input_signal, sos)

    @staticmethod
    def delay(delay_length: Tensor, fir_length: int) -> Tensor:
        """Compute the responses ``(…, ⌊N/2⌋ + 1)`` of delays ``(…)`` in samples at N points of the unit circle."""
        w = 2 * math.pi / fir_length * torch.arange(fir_length // 2 + 1, device=delay_length.device)
        return torch.exp(-1j * delay_length.unsqueeze(-1) * w)

    @staticmethod
    def iir_fsm(Bs: Tensor, As: Tensor, delays: Tensor, eps: float = 1e-10) -> Tensor:
        """Compute the responses ``(…, F)`` of sections ``(…, order + 1)`` at the points of :meth:`delay`.

        Args:
            Bs: Numerators.
            As: Denominators, of the same shape.
            delays: ``(order + 1, F)``, the responses of delays of 0, 1, … samples.
            eps: Added to denominators.
        """
        numerator, denominator = (c.to(delays.dtype) @ delays for c in (Bs, As))
        return numerator / (denominator + eps)

    def tail_samples(self, Bs: Tensor, As: Tensor) -> int:
        """Return how long the output continues after the end of the input, see :func:`decay_samples`."""
        if self.backend == "fsm":
            return self.fsm_fir_len - 1
        return decay_samples(F.pad(As, (0, 2 - self.order)))


def sampled_response(Bs: Tensor, As: Tensor, num_taps: int) -> Tensor:
    """Compute impulse responses from the frequency responses at ``num_taps`` points, with time aliasing.

    Args:
        Bs: Numerators ``(…, K, order + 1)`` of K sections in series.
        As: Denominators, likewise.
        num_taps: N.

    Returns:
        ``(…, N)``.
    """
    w = 2 * math.pi / num_taps * wide(torch.arange(num_taps // 2 + 1, device=Bs.device))
    numerator, denominator = on_unit_circle(Bs, w), on_unit_circle(As, w)
    square = denominator.real.square() + denominator.imag.square()
    sections = numerator * denominator.conj() / (square + SMALLEST_SQUARE * As[..., :1].square())
    return irfft(sections.prod(-2), num_taps)


def on_unit_circle(coefficients: Tensor, w: Tensor) -> Tensor:
    r"""Evaluate polynomials in 1/z at :math:`z = e^{j\omega}`.

    Args:
        coefficients: ``(…, n)``, that of :math:`z^0` first.
        w: Angles ω in radians per sample, ``(F,)``.

    Returns:
        ``(…, F)``, complex, in the precision of the coefficients.
    """
    # Each factor is rounded once: near a pole, the sum is much smaller than its terms.
    delays = torch.exp(-1j * w[:, None] * torch.arange(coefficients.shape[-1], device=w.device))
    dtype = torch.promote_types(coefficients.dtype, torch.complex32)
    return coefficients.to(dtype) @ delays.to(dtype).mT


def _in_state_space(x: Tensor, sos: Tensor) -> Tensor:
    """Convert each section to transposed direct form II."""
    for section in sos.unbind(-2):
        b0, b1, b2, a1, a2 = (section[..., [0, 1, 2, 4, 5]] / section[..., 3:4]).unbind(-1)
        one, zero = torch.ones_like(a1), torch.zeros_like(a1)
        A = torch.stack([torch.stack([-a1, one], -1), torch.stack([-a2, zero], -1)], -2)
        B = torch.stack([b1 - a1 * b0, b2 - a2 * b0], -1)
        x, _ = state_space(x, A, B, torch.stack([one, zero], -1), b0)
    return x
