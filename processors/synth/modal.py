"""Modal synthesis: bodies with a few resonant modes."""

import math

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, db, hz, ms
from ..core.biquad import biquad_cascade
from ..core.bounds import safe_exp, soft_bound
from ..core.maps import TO_SILENCE, exponential, frequency, hertz, linear
from ..core.precision import wide
from ..core.state_space import state_space
from ..core.streaming import in_blocks, once, remember

REFERENCE = 44100.0  # samples per second
FUNDAMENTAL = 200.0  # Hz, of the modes by default
DECAYS = 1, 20000, 500.0  # ms


class ModalResonators(Processor):
    r"""Bank of K resonant modes, excited by the input.

    Each mode is a two-pole resonator. The total impulse response, at n samples, is

    .. math::
        h[n] = \frac{44100}{f_s} \sum_{k=1}^{K} a_k\,10^{-3 n / T_k} \sin(\omega_k n + \varphi_k)

    with :math:`\omega = \pi \sigma(\tilde\omega)`, the time T to −60 dB and the amplitude a. It is computed as K exact
    recursions in parallel,

    .. math::
        H(z) = \sum_{k=1}^{K} a_k \frac{\sin \varphi_k + r_k \sin(\omega_k - \varphi_k)\,z^{-1}}
            {1 - 2 r_k \cos \omega_k\,z^{-1} + r_k^2\,z^{-2}}, \quad r_k = 10^{-3 / T_k}

    times :math:`44100 / f_s`, so that the level does not depend on the sample rate. They are stable for all raw
    parameters. In a stream each mode rotates a complex number, :math:`s[n] = r e^{j\omega} s[n-1] + u[n]`, so that its
    level is preserved when its pitch or decay change.

    Controls for each of K modes: ``decay_ms`` is T, ``gain_db`` a, ``phase_deg`` φ.

    Raw parameters:
        w0 ``(B, K)``: ω̃.
        log_decay ``(B, K)``: natural logarithms of times, relative to 500 ms; beyond ±10 they are bounded to ±15.
        log_gain ``(B, K)``: ln a.
        phase ``(B, K)``: φ in radians.

    Args:
        num_modes: K, at least 1.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: There are no modes.

    References:
        Adrien, "The missing link: modal synthesis", in Representations of Musical Signals, MIT Press, 1991.
    """

    latency_samples = 0

    def __init__(self, num_modes: int = 8, sample_rate: float = 44100, param_range: ParamRange | None = None) -> None:
        super().__init__(sample_rate, param_range)
        if num_modes < 1:
            raise ParameterError(f"num_modes must be at least 1, not {num_modes}.")
        self.num_modes = num_modes

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("w0", "log_decay", "log_gain", "phase"), self.num_modes)

    def declare_controls(self) -> list[Control]:
        low, high, _ = hertz(self.sample_rate)
        harmonics = tuple(min(FUNDAMENTAL * k, high) for k in range(1, self.num_modes + 1))
        *_, decay = DECAYS
        return [
            hz("frequency_hz", low, high, harmonics, "w0", map=frequency(self.sample_rate)),
            ms("decay_ms", *DECAYS, "log_decay", map=exponential(decay, floor=0)),
            db("gain_db", -60, 24, 0.0, "log_gain"),
            Control("phase_deg", -180, 180, 0.0, "phase", unit="°", map=linear(180 / math.pi)),
        ]

    def forward(self, input_signals: Tensor, w0: Tensor, log_decay: Tensor, log_gain: Tensor, phase: Tensor) -> Tensor:
        """Excite the modes.

        Args:
            input_signals: ``(B, C, L)``. Channels are independent.
            w0, log_decay, log_gain, phase: ``(B, K)``.

        Returns:
            ``(B, C, L)``.
        """
        raw = w0, log_decay, log_gain, phase
        x = input_signals.unsqueeze(2)
        if in_blocks():
            A, B, C, D = once(self._rotations, *raw)
            return remember(lambda state: state_space(x, A, B, C, D, state), "modes").sum(2)
        return biquad_cascade(x, self._sections(*raw))[0].sum(2)

    def tail_samples(self, w0: Tensor, log_decay: Tensor, log_gain: Tensor, phase: Tensor) -> int:
        if not log_decay.numel():
            return 0
        to_silence = TO_SILENCE + math.log(self.num_modes)  # of all together
        return math.ceil(to_silence / self._rate(log_decay.detach()).min())

    def _sections(self, w0: Tensor, log_decay: Tensor, log_gain: Tensor, phase: Tensor) -> Tensor:
        """Make biquads ``(B, 1, K, 1, 6)``: the modes are parallel, so each is a series of one."""
        w, r, a, phase = self._modes(w0, log_decay, log_gain, phase)
        zero, one = torch.zeros_like(w), torch.ones_like(w)
        sos = (a * torch.sin(phase), a * r * torch.sin(w - phase), zero, one, -2 * r * torch.cos(w), r.square())
        return torch.stack(sos, -1)[:, None, :, None]

    def _rotations(self, w0: Tensor, log_decay: Tensor, log_gain: Tensor, phase: Tensor) -> tuple[Tensor, ...]:
        """Compute A ``(B, 1, K, 2, 2)``, B, C ``(B, 1, K, 2)`` and D ``(B, 1, K)`` of the rotating states."""
        w, r, a, phase = (t[:, None] for t in self._modes(w0, log_decay, log_gain, phase))
        cos, sin = r * torch.cos(w), r * torch.sin(w)
        A = torch.stack([cos, -sin, sin, cos], -1).unflatten(-1, (2, 2))
        C = a.unsqueeze(-1) * torch.stack([torch.sin(phase), torch.cos(phase)], -1)
        return A, A[..., 0], C, C[..., 0]

    def _modes(self, w0: Tensor, log_decay: Tensor, log_gain: Tensor, phase: Tensor) -> tuple[Tensor, ...]:
        """Compute angles and factors per sample, amplitudes and phases."""
        w, r = math.pi * torch.sigmoid(wide(w0)), torch.exp(-self._rate(log_decay))
        return w, r, REFERENCE / self.sample_rate * safe_exp(wide(log_gain)), wide(phase)

    def _rate(self, log_decay: Tensor) -> Tensor:
        *_, reference = DECAYS
        samples = reference / 1000 * self.sample_rate * torch.exp(soft_bound(wide(log_decay), 10, 5))
        return TO_SILENCE / samples
