"""Phasers: moving notches, made by allpass filters."""

import math
from functools import partial

import torch
from torch import Tensor

from ..base import Control, ParameterError
from ..controls import ParamRange, hz
from ..core.allpass_chain import allpass_chain
from ..core.bounds import clip
from ..core.maps import TO_SILENCE, Map, within
from ..core.oscillator import pitch
from ..core.precision import wide
from ..core.streaming import remember
from .base import LOOP, Modulated, Raw, Waveform, feedback_control, mix_control, mixed

FAR = 1e3  # how far a signal at the inlet may swing
LOWEST, HIGHEST = 20.0, 0.45  # Hz, and a part of the sample rate, that corners are confined to


class Phaser(Modulated):
    r"""Phaser: K first-order allpass filters in series with a modulated corner frequency, mixed with the dry signal.

    .. math::
        y[n] &= (1 - m)\,u[n] + m\,v[n], \quad v = A^K\,(u + g\,v), \quad
        A(z) = \frac{c + z^{-1}}{1 + c\,z^{-1}}, \quad c[n] = \tan\Bigl(\frac{\pi f_c[n]}{f_s} - \frac\pi4\Bigr) \\
        f_c[n] &= \mathrm{clip}\bigl(f_0\,2^{D w(n f / f_s + \varphi + c \psi)},\ 20,\ 0.45 f_s\bigr)

    for the channel c = 0, 1, …. Each filter shifts the phase by 90° at the corner :math:`f_c`. For a constant corner,
    without feedback and with m = ½, there are notches where all of them shift it by an odd multiple of 180°,

    .. math:: \tan\frac{\pi f}{f_s} = \tan\frac{\pi f_c}{f_s} \tan\frac{(2 k + 1)\,\pi}{2 K}, \quad
        k = 0, \ldots, \lfloor K/2 \rfloor - 1

    The feedback g, within ±0.98 for every raw value, has no delay: the loop is solved at each sample. The filters
    preserve energy while they move, so the loop is stable under any modulation, see
    :func:`~grafx.processors.core.allpass_chain.allpass_chain`.

    A signal at the inlet ``"lfo"`` replaces the LFO w as in :class:`Chorus`.

    Controls: ``rate_hz`` is f, ``phase_cycles`` φ, ``spread_cycles`` ψ (without an external LFO), ``frequency_hz`` f₀,
    ``depth_octaves`` D, ``feedback`` g and ``mix`` m.

    Raw parameters:
        log_rate ``(B, 1)``: ln (f / 0.5 Hz); not with an external LFO.
        phase, spread ``(B, 1)``: φ and ψ in cycles; not with an external LFO.
        z_frequency ``(B, 1)``: f₀ = (f_s / 2 + ε) σ(z + b) − ε, where z = 0 is 800 Hz and ε = 0.01 Hz.
        z_depth ``(B, 1)``: logit of D, which reaches 1 % beyond its range.
        z_feedback ``(B, 1)``: atanh of g / 0.98.
        z_mix ``(B, 1)``: logit of m, between −0.001 and 1.001.

    Args:
        num_stages: K, at least 1; usual values are 2, 4, 6, 8 and 12.
        waveform: ``"sine"``, ``"triangle"``, ``"saw"`` or ``"square"``, as those of :class:`LFO`.
        external: Read the LFO from another node, at a second inlet ``"lfo"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: No stage, or an unknown waveform.

    References:
        Smith, "An allpass approach to digital phasing and flanging", ICMC 1984; Hartmann, "Flanging and phasers", JAES
        26(6), 1978.
    """

    own = ("z_frequency", "z_depth", "z_feedback", "z_mix")
    default_rate = 0.5
    octaves = (0.0, 4.0)

    def __init__(
        self,
        num_stages: int = 4,
        waveform: Waveform = "sine",
        external: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        if num_stages < 1:
            raise ParameterError(f"num_stages must be at least 1, not {num_stages}.")
        super().__init__(waveform, external, sample_rate, param_range)
        self.num_stages = num_stages
        self.reference = min(800.0, 0.1 * sample_rate)
        self.lowest = min(LOWEST, 0.01 * sample_rate)

    def own_controls(self) -> list[Control]:
        low, high = min(50.0, 0.02 * self.sample_rate), min(10000.0, 0.4 * self.sample_rate)
        return [
            hz("frequency_hz", low, high, self.reference, "z_frequency", map=self._pitch()),
            Control("depth_octaves", *self.octaves, 2.0, "z_depth", unit="octaves", map=within(*self.octaves)),
            feedback_control(),
            mix_control(),
        ]

    def modulate(self, x: Tensor, swing: Tensor, raw: Raw) -> Tensor:
        coefficient = self._coefficient(self._corner(swing, raw))
        gain = LOOP.to_physical(wide(raw["z_feedback"]))
        step = partial(allpass_chain, x, coefficient, gain, self.num_stages)
        return mixed(x, remember(step, "allpass chain"), raw)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        raw = {name: wide(value.detach()) for name, value in raw_parameters.items()}
        if not raw["z_feedback"].numel():
            return 0
        swings = torch.tensor([-FAR, FAR] if self.external else [-1.0, 1.0], dtype=torch.float64)
        corners = self._corner(swings.to(raw["z_depth"]).reshape(1, 1, 2), raw)[:, 0]
        c = self._coefficient(corners).unsqueeze(-1)
        # The poles of the loop are where the response of the filters in series is 1/g.
        gain = LOOP.to_physical(raw["z_feedback"]).abs().clamp(min=1e-6).unsqueeze(-1)
        turns = torch.arange(2 * self.num_stages, device=c.device) * (math.pi / self.num_stages)
        roots = torch.polar((1 / gain) ** (1 / self.num_stages), torch.zeros_like(gain)) * torch.exp(1j * turns)
        radius = ((1 - roots * c) / (roots - c)).abs().clamp(max=1 - 1e-9)
        return math.ceil(self.num_stages * TO_SILENCE / -radius.log().max().item())

    def _pitch(self) -> Map:
        return pitch(self.sample_rate, self.reference)

    def _corner(self, swing: Tensor, raw: Raw) -> Tensor:
        """Compute the corner in Hz, within limits."""
        middle = clip(self._pitch().to_physical(wide(raw["z_frequency"])), 1e-3).log2().to(swing.dtype)
        octaves = within(*self.octaves).to_physical(raw["z_depth"])
        low, high = math.log2(self.lowest), math.log2(HIGHEST * self.sample_rate)
        return clip(torch.addcmul(middle.unsqueeze(-1), octaves.unsqueeze(-1), swing), low, high).exp2()

    def _coefficient(self, corner: Tensor) -> Tensor:
        return torch.tan(corner * (math.pi / self.sample_rate) - math.pi / 4)
