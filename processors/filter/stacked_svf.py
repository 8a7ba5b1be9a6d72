"""State-variable filters with resonant feedback."""

import math

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, hz
from ..core.bounds import clip, soft_bound
from ..core.maps import exponential, frequency, hertz, sigmoid
from ..core.precision import wide
from ..core.state_space import decay_samples, state_space
from ..core.streaming import once, remember

BISECTIONS = 40
WIDEST = 12.0  # natural logarithm of how far crossings can lie from the cutoff
LEAST, MOST = -0.01, 0.999  # of the resonance, that raw parameters reach


class StackedStateVariableFilter(Processor):
    r"""Ladder of 2 N poles: N low-pass state-variable filters in series, with resonant feedback.

    .. math:: H(s) = \frac{1}{\prod_{i=1}^{N} (s^2 + 2 R_i s + 1) + k}, \quad
        s = \frac{1}{\tan(\omega_0 / 2)} \frac{1 - z^{-1}}{1 + z^{-1}}, \quad \omega_0 = \pi \sigma(\tilde\omega)

    With two filters of :math:`R = 1` it is the Moog ladder. Less damping adds further peaks to that of the feedback;
    more damping flattens the slope. Low frequencies are attenuated to :math:`1/(1 + k)`.

    The feedback is :math:`k = \rho\,k_\text{max}(R)`, where ρ is the resonance, below 1, and :math:`k_\text{max}` is
    the limit of self-oscillation. By the Nyquist criterion,

    .. math:: k_\text{max} = \min_j \prod_i |P_i(j \Omega_j)|, \quad \sum_i \arg P_i(j \Omega_j) = (2 j + 1) \pi, \quad
        P_i(s) = s^2 + 2 R_i s + 1

    since the sum of phases ascends from 0 to N π. For two filters that is :math:`k_\text{max} = 4 R_1 R_2`, at the
    cutoff; for more, Ω is found by bisection. So the filter is stable for all raw parameters. Different dampings, more
    than two filters and this limit are extensions of the published filter. The bilinear transform of the whole is
    exact, in a system of 2 N states without a delay in the loops.

    Controls: ``damping`` is R of each of N filters, ``resonance`` is ρ.

    Raw parameters:
        w0 ``(B, 1)``: ω̃, bounded softly beyond ±9.
        log_damping ``(B, N)``: natural logarithms of R, bounded softly beyond ±3.
        z_resonance ``(B, 1)``: ρ̃, of which :math:`\rho = \max(0, 1.009\,\sigma(\tilde\rho) - 0.01)`.

    Args:
        num_filters: N, at least 2.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: Fewer than two filters.

    References:
        Werner and McClellan, "Moog ladder filter generalizations based on state variable filters", DAFx 2020.
    """

    latency_samples = 0

    def __init__(self, num_filters: int = 2, sample_rate: float = 44100, param_range: ParamRange | None = None) -> None:
        super().__init__(sample_rate, param_range)
        if num_filters < 2:
            raise ParameterError(f"num_filters must be at least 2, for the loop to resonate, not {num_filters}.")
        self.num_filters = num_filters

    def parameter_size(self) -> ParameterSize:
        return {"w0": 1, "log_damping": self.num_filters, "z_resonance": 1}

    def declare_controls(self) -> list[Control]:
        cutoff = frequency(self.sample_rate)
        return [
            hz("frequency_hz", *hertz(self.sample_rate), "w0", map=cutoff),
            Control("damping", 0.05, 4, 1.0, "log_damping", scale="log", map=exponential(floor=0)),
            Control("resonance", 0.0, 0.99, 0.5, "z_resonance", map=sigmoid(LEAST, MOST)),
        ]

    def forward(self, input_signals: Tensor, w0: Tensor, log_damping: Tensor, z_resonance: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            w0: ``(B, 1)``.
            log_damping: ``(B, N)``.
            z_resonance: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        A, B, C, D = (m[:, None] for m in once(_system, w0, log_damping, z_resonance))
        return remember(lambda state: state_space(input_signals, A, B, C, D, state), "sections")

    def tail_samples(self, w0: Tensor, log_damping: Tensor, z_resonance: Tensor) -> int:
        return decay_samples(_system(w0.detach(), log_damping.detach(), z_resonance.detach())[0])


def feedback_limit(damping: Tensor) -> Tensor:
    """Compute the negative feedback at which filters in series begin to oscillate.

    Args:
        damping: R of at least two filters ``(…, N)``, in double precision.

    Returns:
        ``(…)``.
    """
    num_filters = damping.shape[-1]
    if num_filters == 2:
        return 4 * damping.prod(-1)
    odd = torch.arange(1, num_filters, 2, dtype=damping.dtype, device=damping.device)
    double = 2 * damping[..., None, :]  # an axis of crossings before that of filters
    with torch.no_grad():
        low = damping.new_full((*damping.shape[:-1], len(odd)), -WIDEST)
        high = -low
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            early = _phase(middle, double) < math.pi * odd
            low, high = torch.where(early, middle, low), torch.where(early, high, middle)
        w = (low + high) / 2
    for _ in range(2):  # steps of Newton's method: the first has the derivative that the crossing has, both the second
        omega = w.exp()[..., None]
        level = (1 - omega**2) ** 2 + (double * omega) ** 2
        slope = (double * omega * (1 + omega**2) / level).sum(-1)
        w = w - (_phase(w, double) - math.pi * odd) / slope
    omega = w.exp()[..., None]
    return ((1 - omega**2) ** 2 + (double * omega) ** 2).log().sum(-1).amin(-1).div(2).exp()


def _phase(log_omega: Tensor, double: Tensor) -> Tensor:
    """Compute the total phase of all filters, which is monotonic."""
    omega = log_omega.exp()[..., None]
    return torch.atan2(double * omega, 1 - omega**2).sum(-1)


def _system(w0: Tensor, log_damping: Tensor, z_resonance: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute A, B, C and D, whose states are those of trapezoidal integrators: first the band-pass of each filter."""
    g = torch.tan(math.pi / 2 * torch.sigmoid(soft_bound(wide(w0), 9, 2)))[..., None]
    damping = torch.exp(soft_bound(wide(log_damping), 3, 1))
    resonance = clip(sigmoid(LEAST, MOST).to_physical(wide(z_resonance))[:, 0], 0.0)
    rows, count = damping.shape
    band = 2 * torch.arange(count, device=g.device)
    loops = g.new_zeros(rows, 2 * count, 2 * count)
    loops[:, band, band] = -2 * damping
    loops[:, band, band + 1] = -1
    loops[:, band + 1, band] = 1
    loops[:, band[1:], band[1:] - 1] = 1
    loops[:, 0, -1] -= resonance * feedback_limit(damping)
    one = torch.eye(2 * count, dtype=g.dtype, device=g.device)
    solved = torch.linalg.inv(one - g * loops)
    driven = g[..., 0] * solved[:, :, 0]
    return 2 * solved - one, 2 * driven, solved[:, -1], driven[:, -1]
