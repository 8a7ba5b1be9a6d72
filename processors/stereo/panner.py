"""Position and width between left and right."""

import math
from typing import Literal

import torch
from torch import Tensor

from ..arguments import check_option, check_optional
from ..base import Control, ParameterSize, Processor
from ..controls import ParamRange, db, hz, ms
from ..core import cookbook
from ..core.biquad import decay_samples
from ..core.bounds import clip, safe_exp
from ..core.channels import check_mono_or_stereo, check_stereo
from ..core.delay_line import Interpolation, delay_line_init, delay_line_process, delay_line_tail
from ..core.maps import frequency_around, logit_of, sigmoid, tanh, within
from ..core.midside import lr_to_ms, ms_to_lr
from ..core.precision import wide
from ..core.state_variable import biquads
from ..core.streaming import once, remember

Law = Literal["linear", "constant_power", "-4.5dB", "balance"]
Side = Literal["left", "right"]

LAWS = ("linear", "constant_power", "-4.5dB", "balance")
SIDES = ("left", "right")
BEYOND = 1.001  # of a full turn of a knob, which raw parameters reach, so that the full turn has a finite one
BASS = (20.0, 500.0, 120.0)  # Hz
HAAS = 40.0  # ms; beyond, an echo is heard as such
BUTTERWORTH = math.sqrt(2)  # 1/Q

PAN = tanh(BEYOND)
HAAS_MS = within(0, HAAS)
WIDTH = sigmoid(1 - BEYOND, 1 + BEYOND)


class Panner(Processor):
    r"""Panorama: position of a sound between left and right.

    .. math:: l[n] = g_l(p)\,u_l[n], \quad r[n] = g_r(p)\,u_r[n]

    where both u are the input if it is mono. With x = (p + 1)/2 from 0 (left) to 1 (right), the laws are

    ==================== ================================== ======================== =============================
    law                  g_l                                in the middle            what stays the same
    ==================== ================================== ======================== =============================
    ``"linear"``         :math:`1 - x`                      −6 dB                    g_l + g_r, of a mono sum
    ``"constant_power"`` :math:`\cos(\pi x/2)`              −3 dB                    g_l² + g_r², of loudspeakers
    ``"-4.5dB"``         the geometric mean of these two    −4.5 dB                  neither, but both nearly
    ``"balance"``        :math:`\min(1, 1 - p)`             0 dB                     the louder channel
    ==================== ================================== ======================== =============================

    and :math:`g_r(p) = g_l(-p)`. ``"balance"`` is for stereo signals, which pass unchanged in the middle. The other
    laws also keep the channels of a stereo signal on their sides.

    The control ``pan`` is p.

    Raw parameters:
        z_pan ``(B, 1)``: p̃, where p = 1.001 tanh p̃, so that −1 and 1 have finite raw values.

    Args:
        law: ``"linear"``, ``"constant_power"``, ``"-4.5dB"`` or ``"balance"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown law.

    References:
        Zölzer (ed.), "DAFX: digital audio effects", 2nd edition, Wiley, 2011, chapter 5.
    """

    latency_samples = 0

    def __init__(
        self, law: Law = "constant_power", sample_rate: float = 44100, param_range: ParamRange | None = None
    ) -> None:
        super().__init__(sample_rate, param_range)
        check_option("law", law, LAWS)
        self.law = law

    def parameter_size(self) -> ParameterSize:
        return {"z_pan": 1}

    def declare_controls(self) -> list[Control]:
        return [Control("pan", -1.0, 1.0, 0.0, "z_pan", map=PAN)]

    def forward(self, input_signals: Tensor, z_pan: Tensor) -> Tensor:
        """Place signals.

        Args:
            input_signals: ``(B, 1, L)``, or ``(B, 2, L)``.
            z_pan: ``(B, 1)``.

        Returns:
            ``(B, 2, L)``.

        Raises:
            ParameterError: The signal is neither mono nor stereo.
        """
        check_mono_or_stereo(input_signals, "Panner")
        pan = PAN.to_physical(wide(z_pan))
        gains = torch.stack([self._gain(pan), self._gain(-pan)], 1)
        return input_signals * gains.to(input_signals.dtype)

    def _gain(self, pan: Tensor) -> Tensor:
        """Compute the gain of the left channel."""
        near = (1 - pan) / 2
        if self.law == "linear":
            return near
        if self.law == "constant_power":
            return torch.sin(math.pi / 2 * near)
        if self.law == "balance":
            return clip(1 - pan, high=1.0)
        # √(near · sin(π near / 2)), in a form with a finite slope at 0.
        return near * torch.sqrt(math.pi / 2 * torch.sinc(near / 2))


class StereoWidener(Processor):
    r"""Stereo width in mid and side, optionally with mono bass.

    .. math:: l' = m + w\,h * s, \quad r' = m - w\,h * s, \quad m = (l + r)/2, \quad s = (l - r)/2

    The width w is 0 for mono, 1 for an unchanged signal and 2 for twice the side. The mono sum l' + r' is always
    that of the input. With ``mono_bass``, h is a second-order Butterworth high-pass, which removes the bass of the
    side; without, it has no effect. In contrast to :class:`SideGainImager`, the width is bounded and linear.

    The control ``width`` is w; with ``mono_bass``, ``mono_below_hz`` is the cutoff of h.

    Raw parameters:
        z_width ``(B, 1)``: w̃, where w is 2σ(w̃) extended by 0.001 beyond 0 and 2.
        w0 ``(B, 1)``, with ``mono_bass``: the cutoff is πσ(w0 + c), where c makes it 120 Hz for 0; extreme values are
            bounded softly.

    Args:
        mono_bass: Remove low frequencies of the side.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    References:
        Zölzer (ed.), "DAFX: digital audio effects", 2nd edition, Wiley, 2011, chapter 5.
    """

    latency_samples = 0

    def __init__(
        self, mono_bass: bool = False, sample_rate: float = 44100, param_range: ParamRange | None = None
    ) -> None:
        super().__init__(sample_rate, param_range)
        self.mono_bass = mono_bass

    def parameter_size(self) -> ParameterSize:
        return {"z_width": 1, "w0": 1} if self.mono_bass else {"z_width": 1}

    def declare_controls(self) -> list[Control]:
        controls = [Control("width", 0.0, 2.0, 1.0, "z_width", map=WIDTH)]
        if self.mono_bass:
            low, high, usual = BASS
            high, to = min(high, 0.45 * self.sample_rate), frequency_around(usual, self.sample_rate)
            controls.append(hz("mono_below_hz", low, high, usual, "w0", map=to))
        return controls

    def forward(self, input_signals: Tensor, z_width: Tensor, w0: Tensor | None = None) -> Tensor:
        """Widen or narrow signals.

        Args:
            input_signals: ``(B, 2, L)``.
            z_width: ``(B, 1)``.
            w0: ``(B, 1)``, with ``mono_bass``.

        Returns:
            ``(B, 2, L)``.

        Raises:
            ParameterError: The signal is not stereo; ``w0`` is missing, or given although there is no high-pass.
        """
        check_optional(self, w0=w0)
        check_stereo(input_signals, "StereoWidener")
        mid, side = lr_to_ms(input_signals).split(1, 1)
        if w0 is not None:
            sos = once(self._sections, w0)
            side = biquads(side, sos)
        width = WIDTH.to_physical(z_width).unsqueeze(-1)
        return ms_to_lr(torch.cat([mid, width * side], 1))

    def tail_samples(self, z_width: Tensor, w0: Tensor | None = None) -> int:
        return 0 if w0 is None else decay_samples(self._sections(w0)[..., 3:])

    def _sections(self, w0: Tensor) -> Tensor:
        """Design the high-pass, ``(B, 1, 1, 6)``."""
        angle, inverse_q = cookbook.from_raw(wide(w0) + logit_of(BASS[2], self.sample_rate), torch.zeros_like(w0))
        return torch.cat(cookbook.high_pass(angle, BUTTERWORTH * inverse_q), -1).unsqueeze(1)


class HaasEnhancer(Processor):
    r"""Stereo widening by a short delay of one side, by the precedence effect.

    .. math:: l[n] = u_l[n], \quad r[n] = \pm e^g\,u_r(n - d)

    or the other way round. The ear locates the sound at the earlier side, and perceives the later one as width.
    Interpolation between samples makes the delay learnable, see
    :func:`~grafx.processors.core.delay_line.delay_line_init`. In a mono sum it is a comb filter.

    Controls: ``delay_ms`` is d, ``gain_db`` g.

    Raw parameters:
        z_delay ``(B, 1)``: d̃, where d is 40 ms · (1.02 σ(d̃) − 0.01), clipped to 0 to 40 ms with zero gradient.
        log_gain ``(B, 1)``: g, natural logarithm of the gain.

    Args:
        delayed: The delayed side, ``"left"`` or ``"right"``.
        invert: Invert the polarity of that side.
        interpolation: ``"linear"``, ``"cubic"`` or ``"allpass"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown side or interpolation.

    References:
        Haas, "The influence of a single echo on the audibility of speech", JAES 20(2), 1972 (first 1949).
    """

    latency_samples = 0

    def __init__(
        self,
        delayed: Side = "right",
        invert: bool = False,
        interpolation: Interpolation = "cubic",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        check_option("delayed", delayed, SIDES)
        self.delayed = delayed
        self.invert = invert
        _, self._line = delay_line_init(HAAS * sample_rate / 1000, interpolation)

    def parameter_size(self) -> ParameterSize:
        return {"z_delay": 1, "log_gain": 1}

    def declare_controls(self) -> list[Control]:
        return [
            ms("delay_ms", 0.0, HAAS, 15.0, "z_delay", map=HAAS_MS),
            db("gain_db", -24, 6, 0.0, "log_gain"),
        ]

    def forward(self, input_signals: Tensor, z_delay: Tensor, log_gain: Tensor) -> Tensor:
        """Delay one side.

        Args:
            input_signals: ``(B, 1, L)``, which becomes stereo, or ``(B, 2, L)``.
            z_delay: ``(B, 1)``.
            log_gain: ``(B, 1)``.

        Returns:
            ``(B, 2, L)``.

        Raises:
            ParameterError: The signal is neither mono nor stereo.
        """
        check_mono_or_stereo(input_signals, "HaasEnhancer")
        left, right = input_signals.expand(-1, 2, -1).split(1, 1)
        gain = (-1 if self.invert else 1) * safe_exp(log_gain).unsqueeze(-1)
        time = self.sample_rate / 1000 * HAAS_MS.to_physical(wide(z_delay))

        side = left if self.delayed == "left" else right
        late = gain * remember(lambda state: delay_line_process(side, 0.0, state, self._line, time), "delay line")
        return torch.cat([late, right] if self.delayed == "left" else [left, late], 1)

    def tail_samples(self, z_delay: Tensor, log_gain: Tensor) -> int:
        return delay_line_tail(self._line)
