"""Memoryless nonlinearities."""

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_optional
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import db
from ..core.bounds import clip, safe_exp
from ..core.maps import TANH, exponential, sigmoid
from ..core.series import Basis, polynomial_sum


class TanhDistortion(Processor):
    r"""Soft clipping by a hyperbolic tangent.

    .. math:: y = e^{q} \left(\tanh(e^{p} u + b) - \tanh b\right)

    where q = −p unless there is a separate post-gain, and b = 0 without a bias.

    Raw parameters:
        log_pre_gain ``(B, 1)``: p, natural logarithm of the gain before, with ``pre_post_gain``; else 0.
        log_post_gain ``(B, 1)``: q, natural logarithm of the gain after, with ``pre_post_gain`` and without
            ``inverse_post_gain``.
        bias ``(B, 1)``: b, with ``use_bias``.

    Args:
        pre_post_gain: Apply gains before and after.
        inverse_post_gain: Compensate the gain before, so that quiet signals keep their level.
        remove_dc: Subtract the mean of each channel first.
        use_bias: Clip asymmetrically, which adds even harmonics.
        **controls: Options of :class:`~grafx.processors.base.Processor`.

    References:
        Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    def __init__(
        self,
        pre_post_gain: bool = True,
        inverse_post_gain: bool = True,
        remove_dc: bool = False,
        use_bias: bool = False,
        **controls,
    ):
        super().__init__(**controls)
        self.remove_dc = remove_dc
        self.latency_samples = None if remove_dc else 0  # the mean is that of the whole signal
        self._size: ParameterSize = _gain_size(pre_post_gain, inverse_post_gain) | ({"bias": 1} if use_bias else {})

    def parameter_size(self) -> ParameterSize:
        return dict(self._size)

    def declare_controls(self) -> list[Control]:
        bias = [Control("offset", -1, 1, 0.0, "bias")] if "bias" in self._size else []
        return [*_gain_controls(self._size), *bias]

    def forward(
        self,
        input_signals: Tensor,
        log_pre_gain: Tensor | None = None,
        log_post_gain: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Distort ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            log_pre_gain: ``(B, 1)``.
            log_post_gain: ``(B, 1)``.
            bias: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: A parameter is missing, or given although the options exclude it.
        """
        check_optional(self, log_pre_gain=log_pre_gain, log_post_gain=log_post_gain, bias=bias)
        y = _before(input_signals, self.remove_dc, log_pre_gain)
        if bias is None:
            y = torch.tanh(y)
        else:
            bias = bias.unsqueeze(-1)
            y = torch.tanh(y + bias) - torch.tanh(bias)
        return _after(y, log_pre_gain, log_post_gain)


class ArctanDistortion(Processor):
    r"""Soft clipping by an arctangent, which saturates more slowly than a hyperbolic tangent.

    .. math:: y = \tfrac{2}{\pi} \arctan(d\,u)

    The output is within ±1 for every input. Quiet signals are scaled by 2d/π. The control ``drive`` is d.

    Raw parameters:
        log_drive ``(B, 1)``: ln d.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {"log_drive": 1}

    def declare_controls(self) -> list[Control]:
        return [Control("drive", 0.1, 100, 1.0, "log_drive", scale="log", map=exponential(floor=0))]

    def forward(self, input_signals: Tensor, log_drive: Tensor) -> Tensor:
        """Distort ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            log_drive: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        return torch.atan(safe_exp(log_drive).unsqueeze(-1) * input_signals) / (math.pi / 2)


class HardClip(Processor):
    r"""Clipping of signals to a range.

    .. math:: y = \min(\max(u, l), h)

    It has no parameters. With limits in Hz, it bounds the frequency input of an oscillator.

    Args:
        low: l.
        high: h.

    Raises:
        ParameterError: The limits do not ascend.
    """

    latency_samples = 0

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        if not low < high:
            raise ParameterError(f"HardClip needs low < high, not {low:g} and {high:g}.")
        self.low, self.high = low, high

    def parameter_size(self) -> ParameterSize:
        return {}

    def forward(self, input_signals: Tensor) -> Tensor:
        """Clip ``(B, C, L)`` signals."""
        return clip(input_signals, self.low, self.high)


class PiecewiseTanhDistortion(Processor):
    r"""Soft clipping with a hardness and a threshold for each polarity.

    .. math:: y = e^q f(e^p u), \quad f(v) = \begin{cases}
            a_p \tanh(h_p (v - k_p)) + \tanh k_p & v > k_p \\
            \tanh v & -k_n \le v \le k_p \\
            a_n \tanh(h_n (v + k_n)) - \tanh k_n & v < -k_n
        \end{cases}

    where a = (1 − tanh²k)/h, so that value and slope are continuous; h = exp(``log_hardness``), k = σ(``z_threshold``),
    and q = −p unless there is a separate post-gain.

    Raw parameters:
        log_hardness ``(B, 2)``: natural logarithms of h_p and h_n. The harder, the lower is the ceiling.
        z_threshold ``(B, 2)``: logits of k_p and k_n, which lie between 0 and 1.
        log_pre_gain ``(B, 1)``: p, natural logarithm of the gain before, with ``pre_post_gain``; else 0.
        log_post_gain ``(B, 1)``: q, natural logarithm of the gain after, with ``pre_post_gain`` and without
            ``inverse_post_gain``.

    Args:
        pre_post_gain: Apply gains before and after.
        inverse_post_gain: Compensate the gain before, so that quiet signals keep their level.
        remove_dc: Subtract the mean of each channel first.
        **controls: Options of :class:`~grafx.processors.base.Processor`.

    References:
        Eichas and Zölzer, "Black-box modeling of distortion circuits with block-oriented models", DAFx 2016.
    """

    def __init__(self, pre_post_gain: bool = True, inverse_post_gain: bool = True, remove_dc: bool = False, **controls):
        super().__init__(**controls)
        self.remove_dc = remove_dc
        self.latency_samples = None if remove_dc else 0  # the mean is that of the whole signal
        gains = _gain_size(pre_post_gain, inverse_post_gain)
        self._size: ParameterSize = {"log_hardness": 2, "z_threshold": 2, **gains}

    def parameter_size(self) -> ParameterSize:
        return dict(self._size)

    def declare_controls(self) -> list[Control]:
        halves = list(enumerate(("positive", "negative")))
        return [
            *(
                Control(f"{h}_hardness", 0.1, 20, 1.0, "log_hardness", index=i, scale="log", map=exponential())
                for i, h in halves
            ),
            *(Control(f"{h}_threshold", 0.01, 0.99, 0.5, "z_threshold", index=i, map=sigmoid(0, 1)) for i, h in halves),
            *_gain_controls(self._size),
        ]

    def forward(
        self,
        input_signals: Tensor,
        log_hardness: Tensor,
        z_threshold: Tensor,
        log_pre_gain: Tensor | None = None,
        log_post_gain: Tensor | None = None,
    ) -> Tensor:
        """Distort ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            log_hardness: ``(B, 2)``, of the positive and the negative half.
            z_threshold: ``(B, 2)``, of the positive and the negative half.
            log_pre_gain: ``(B, 1)``.
            log_post_gain: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: A gain is missing, or given although the options exclude it.
        """
        check_optional(self, log_pre_gain=log_pre_gain, log_post_gain=log_post_gain)
        v = _before(input_signals, self.remove_dc, log_pre_gain)
        threshold = torch.sigmoid(z_threshold)
        above, below = (k[:, None, None] for k in threshold.unbind(-1))
        # The correction of each side is 0 with the slope of tanh at its threshold.
        hardness = safe_exp(log_hardness)
        scale = (1 - torch.tanh(threshold).square()) / hardness
        hardness_p, hardness_n, scale_p, scale_n = (t[:, None, None] for t in (*hardness.unbind(-1), *scale.unbind(-1)))
        y = torch.tanh(clip(v, -below, above))
        y = y + scale_p * torch.tanh(hardness_p * F.relu(v - above))
        y = y - scale_n * torch.tanh(hardness_n * F.relu(-below - v))
        return _after(y, log_pre_gain, log_post_gain)


class _SeriesDistortion(Processor):
    """Base class of the distortions that sum polynomials."""

    basis: Basis

    def __init__(
        self,
        max_order: int = 10,
        pre_gain: bool = True,
        remove_dc: bool = False,
        use_tanh: bool = False,
        **controls,
    ):
        super().__init__(**controls)
        if max_order < 1:
            raise ParameterError(f"max_order is the number of basis functions and must be at least 1, not {max_order}.")
        self.remove_dc = remove_dc
        self.latency_samples = None if remove_dc else 0  # the mean is that of the whole signal
        self.use_tanh = use_tanh
        self._size: ParameterSize = {"basis_weights": max_order}
        if pre_gain:
            self._size["log_pre_gain"] = 1

    def parameter_size(self) -> ParameterSize:
        return dict(self._size)

    def declare_controls(self) -> list[Control]:
        order = self._size["basis_weights"]
        clean = tuple(0.99 if k == 1 else 0.0 for k in range(order)) if order > 1 else 0.0
        return [Control("weights", -0.99, 0.99, clean, "basis_weights", map=TANH), *_gain_controls(self._size)]

    def forward(self, input_signals: Tensor, basis_weights: Tensor, log_pre_gain: Tensor | None = None) -> Tensor:
        """Distort ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            basis_weights: ``(B, K)``.
            log_pre_gain: ``(B, 1)``, with ``pre_gain``.

        Returns:
            ``(B, C, L)``, differentiable once.

        Raises:
            ParameterError: The gain is missing, or given although the options exclude it.
        """
        check_optional(self, log_pre_gain=log_pre_gain)
        v = _before(input_signals, self.remove_dc, log_pre_gain)
        return polynomial_sum(v, torch.tanh(basis_weights), self.basis, self.use_tanh)


class PowerDistortion(_SeriesDistortion):
    r"""Distortion by a sum of powers.

    .. math:: y = \sum_{k=0}^{K-1} \tanh(w_k)\, (e^p u)^k

    The first term is a constant, the second the signal itself. With ``use_tanh``, tanh is applied to each power.
    Signals whose highest power exceeds 10¹⁴ are bounded softly first.

    Raw parameters:
        basis_weights ``(B, K)``: w.
        log_pre_gain ``(B, 1)``: p, natural logarithm of the gain before, with ``pre_gain``; else 0.

    Args:
        max_order: K, the number of powers.
        pre_gain: Apply a gain before.
        remove_dc: Subtract the mean of each channel first.
        use_tanh: Saturate each power.
        **controls: Options of :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: ``max_order`` is less than 1.

    References:
        Colonel, Comunità and Reiss, "Reverse engineering memoryless distortion effects with differentiable
        waveshapers", AES Convention 153, 2022; Peladeau and Peeters, "Blind estimation of audio effects using an
        auto-encoder approach and differentiable digital signal processing", ICASSP 2024.
    """

    basis = "powers"


class ChebyshevDistortion(_SeriesDistortion):
    r"""Distortion by a sum of Chebyshev polynomials, each of which makes one harmonic of a full-scale sinusoid.

    .. math:: y = \sum_{k=0}^{K-1} \tanh(w_k)\, T_k(e^p u), \quad T_k(\cos φ) = \cos k φ

    The first term is a constant, the second the signal itself. With ``use_tanh``, tanh is applied to each polynomial.
    Signals whose highest polynomial exceeds 10¹⁴ are bounded softly first.

    Raw parameters:
        basis_weights ``(B, K)``: w.
        log_pre_gain ``(B, 1)``: p, natural logarithm of the gain before, with ``pre_gain``; else 0.

    Args:
        max_order: K, the number of polynomials.
        pre_gain: Apply a gain before.
        remove_dc: Subtract the mean of each channel first.
        use_tanh: Saturate each polynomial.
        **controls: Options of :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: ``max_order`` is less than 1.

    References:
        See :class:`PowerDistortion`; as waveshaping, Le Brun, "Digital waveshaping synthesis", JAES 27(4), 1979.
    """

    basis = "chebyshev"


def _gain_size(pre_post_gain: bool, inverse_post_gain: bool) -> ParameterSize:
    """Sizes of the raw parameters of the gains before and after."""
    used = {"log_pre_gain": pre_post_gain, "log_post_gain": pre_post_gain and not inverse_post_gain}
    return {name: 1 for name, is_used in used.items() if is_used}


def _gain_controls(raw: Collection[str]) -> list[Control]:
    """Make the controls of the gains before and after, if they are parameters."""
    gains = (("pre_gain_db", -24, 60, "log_pre_gain"), ("post_gain_db", -60, 24, "log_post_gain"))
    return [db(n, low, high, 0.0, r) for n, low, high, r in gains if r in raw]


def _before(x: Tensor, remove_dc: bool, log_pre_gain: Tensor | None) -> Tensor:
    if remove_dc:
        x = x - x.mean(-1, keepdim=True)
    return x if log_pre_gain is None else x * safe_exp(log_pre_gain).unsqueeze(-1)


def _after(y: Tensor, log_pre_gain: Tensor | None, log_post_gain: Tensor | None) -> Tensor:
    if log_post_gain is None and log_pre_gain is not None:
        log_post_gain = -log_pre_gain
    return y if log_post_gain is None else y * safe_exp(log_post_gain).unsqueeze(-1)
