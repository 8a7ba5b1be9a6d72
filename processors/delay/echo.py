"""Echoes: delays with feedback."""

import math
from typing import Literal

import torch
from torch import Tensor

from ..arguments import check_option, check_optional
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, hz, ms
from ..core.bounds import soft_bound
from ..core.channels import check_mono_or_stereo
from ..core.comb import comb_filter, whole_samples
from ..core.maps import TO_SILENCE, Map, frequency_around, logit_of, sigmoid, tanh, whole_if_nearly
from ..core.midside import lr_to_ms, ms_to_lr
from ..core.precision import wide
from ..core.streaming import in_blocks, once, remember, with_past

SHORTEST_MS, SHORTEST = 1.0, 2.0  # and in samples
USUAL_MS = 375.0
MARGIN = 0.01  # of the shortest and the longest time, that raw parameters reach beyond it
MOST_FEEDBACK = 0.995
LOW_CUT = (10.0, 2000.0, 40.0)  # Hz
HIGH_CUT = (200.0, 20000.0, 6000.0)
FEEDBACK = tanh(MOST_FEEDBACK)

Entrance = Literal["mono", "stereo"]


class _Echo(Processor):
    """Delay with filtered feedback.

    Args:
        max_time_ms: Longest time, in milliseconds.
        damped: Whether there is a filter in the loop.
        sample_rate: Samples per second.
        param_range: Ranges of controls.
    """

    latency_samples = 0

    def __init__(
        self,
        max_time_ms: float = 1000.0,
        damped: bool = True,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        self.max_time_ms = max_time_ms
        self.damped = damped
        self._shortest = max(SHORTEST_MS, 1000 * SHORTEST / sample_rate)
        if not self._shortest < max_time_ms < math.inf:
            raise ParameterError(
                f"max_time_ms must be a number of more than {self._shortest:g} milliseconds, not {max_time_ms!r}."
            )

    def parameter_size(self) -> ParameterSize:
        size: ParameterSize = {"z_time": 1, "z_feedback": 1}
        return {**size, "w0_low": 1, "w0_high": 1} if self.damped else size

    def declare_controls(self) -> list[Control]:
        shortest, longest = self._shortest, self.max_time_ms
        usual = USUAL_MS if shortest < USUAL_MS < longest else (shortest + longest) / 2
        controls = [
            ms("time_ms", shortest, longest, usual, "z_time", scale="linear", map=self._time()),
            Control("feedback", -0.99, 0.99, 0.5, "z_feedback", map=FEEDBACK),
        ]
        if self.damped:
            for name, limits in (("low", LOW_CUT), ("high", HIGH_CUT)):
                low, high, usual = (min(hertz, 0.45 * self.sample_rate) for hertz in limits)
                to = frequency_around(usual, self.sample_rate)
                controls.append(hz(f"{name}_cut_hz", low, high, usual, f"w0_{name}", map=to))
        return controls

    def tail_samples(
        self, z_time: Tensor, z_feedback: Tensor, w0_low: Tensor | None = None, w0_high: Tensor | None = None
    ) -> int:
        if not z_time.numel():
            return 0
        # Each echo is attenuated by the feedback and by the filter, which also rings for a while.
        gain = FEEDBACK.to_physical(wide(z_feedback)).abs().clamp(1e-30)
        rounds = 1 + (TO_SILENCE / -gain.log()).ceil()
        samples = self._samples(z_time) + 1
        if w0_low is not None:
            samples = samples + 2 / (math.pi * torch.sigmoid(self._logit(w0_low, LOW_CUT)))
        return math.ceil((rounds * samples).max())

    def min_delay_samples(
        self,
        input_signals: Tensor,
        z_time: Tensor,
        z_feedback: Tensor,
        w0_low: Tensor | None = None,
        w0_high: Tensor | None = None,
    ) -> int:
        """Return the minimum delay in samples between an output and the latest input that it depends on.

        Args:
            input_signals: Of any shape; the values are ignored.
            z_time: ``(B, 1)``.
            z_feedback, w0_low, w0_high: Ignored.

        Returns:
            The minimum time of all rows, in whole samples.
        """
        return int(whole_samples(self._samples(z_time.detach()), self._longest()).min()) if z_time.numel() else 0

    def _echoes(self, x: Tensor, loop: Tensor, z_time: Tensor, z_feedback: Tensor, *cuts: Tensor | None) -> Tensor:
        """Compute the delayed signals ``(B, C, L)`` of loops whose gains have the signs ``(C,)``."""
        check_optional(self, w0_low=cuts[0], w0_high=cuts[1])
        whole, fraction, b, a = once(self._design, z_time, z_feedback, *cuts)
        b = b.unsqueeze(1) * loop[:, None]
        mix = b.new_tensor([0.0, 1.0, 0.0])
        # Only later blocks may have longer times; values are unknown under compilation, and not read off a device.
        unknown = torch.compiler.is_compiling() or x.device.type != "cpu"
        longest = math.ceil(self._longest()) if in_blocks() or unknown else None

        def step(state):
            return comb_filter(x, whole, b, a.unsqueeze(1), mix, longest, state)

        delayed = with_past(remember(step, "echoes"), 1)
        return torch.lerp(delayed[..., 1:], delayed[..., :-1], fraction.to(x.dtype).unsqueeze(-1))

    def _design(
        self, z_time: Tensor, z_feedback: Tensor, w0_low: Tensor | None, w0_high: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the whole samples of the time, the rest ``(B, 1)``, and the filter in the loop ``(B, n)``."""
        time = self._samples(z_time)
        whole = time.detach().floor()
        fraction = time - whole
        gain = FEEDBACK.to_physical(wide(z_feedback))
        b, a = gain * torch.cat([1 - fraction, fraction], -1), torch.ones_like(gain)
        if w0_low is not None and w0_high is not None:
            low, high = (
                math.pi * torch.sigmoid(self._logit(*each)) for each in ((w0_low, LOW_CUT), (w0_high, HIGH_CUT))
            )
            s = torch.sin(high / 2)
            lowpass, highpass = torch.square(torch.sqrt(1 + s * s) - s), torch.tan(math.pi / 4 - low / 2)
            b = (1 - lowpass) * (1 + highpass) / 2 * _times(b, -torch.ones_like(gain))
            a = _times(torch.cat([a, -lowpass], -1), -highpass)
        return whole_samples(whole, self._longest()), fraction, b, a

    def _logit(self, w0: Tensor, limits: tuple[float, float, float]) -> Tensor:
        usual = min(limits[2], 0.45 * self.sample_rate)
        return soft_bound(wide(w0) + logit_of(usual, self.sample_rate), 9, 2)

    def _time(self) -> Map:
        return sigmoid((1 - MARGIN) * self._shortest, (1 + MARGIN) * self.max_time_ms)

    def _samples(self, z_time: Tensor) -> Tensor:
        return whole_if_nearly(self.sample_rate / 1000 * self._time().to_physical(wide(z_time)))

    def _longest(self) -> float:
        return self.sample_rate / 1000 * (1 + MARGIN) * self.max_time_ms


class FeedbackDelay(_Echo):
    r"""Echo: a delay with feedback, in which each repetition is quieter and duller.

    .. math:: y[n] = v(n - t), \quad v[n] = u[n] + g\,(h * y)[n]

    Linear interpolation between samples of v makes the time t learnable. With ``damped``, h attenuates low and high
    frequencies of the echoes, like tape and analog delays, by two first-order filters:

    .. math:: H(z) = \frac{1 - a}{1 - a z^{-1}} \cdot \frac{1 + R}{2}\,\frac{1 - z^{-1}}{1 - R z^{-1}}, \quad
        a = \bigl(\sqrt{1 + s^2} - s\bigr)^2, \quad s = \sin \tfrac{\omega_h}{2}, \quad
        R = \tan\bigl(\tfrac{\pi}{4} - \tfrac{\omega_l}{2}\bigr)

    with cutoffs ω_h and ω_l at −3 dB, and gains of at most 0 dB. So the loop is stable for all parameters, since \|g\|
    < 1. Without ``damped``, each echo is the previous one times g, except for the treble lost by interpolation where t
    lies between samples. The recursion is exact for any length.

    The output is wet; :class:`DryWet` mixes it with the input. In a stream, cycles of a graph may lead through it.

    Controls: ``time_ms`` is t, ``feedback`` g; with ``damped``, ``low_cut_hz`` and ``high_cut_hz`` are the cutoffs.

    Raw parameters:
        z_time ``(B, 1)``: t̃; t is a logistic function of it, within its range and 1 % beyond.
        z_feedback ``(B, 1)``: g̃, where g = 0.995 tanh g̃.
        w0_low, w0_high ``(B, 1)``, with ``damped``: cutoffs are πσ(w0 + c), where c makes them 40 Hz and 6 kHz for
            0. Sums beyond ±9 are bounded softly to ±11.

    Args:
        max_time_ms: Longest time, in milliseconds.
        damped: Whether there is a filter in the loop.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: The longest time is not longer than the shortest.

    References:
        Zölzer (ed.), "DAFX: digital audio effects", 2nd edition, Wiley, 2011, chapter 2; filters in the loop, Moorer,
        "About this reverberation business", Computer Music Journal 3(2), 1979.
    """

    def forward(
        self,
        input_signals: Tensor,
        z_time: Tensor,
        z_feedback: Tensor,
        w0_low: Tensor | None = None,
        w0_high: Tensor | None = None,
    ) -> Tensor:
        """Make echoes.

        Args:
            input_signals: ``(B, C, L)``.
            z_time: ``(B, 1)``.
            z_feedback: ``(B, 1)``.
            w0_low: ``(B, 1)``, with ``damped``.
            w0_high: ``(B, 1)``, with ``damped``.

        Returns:
            The echoes ``(B, C, L)``, without the input.

        Raises:
            ParameterError: Cutoffs are missing, or given without ``damped``.
        """
        return self._echoes(input_signals, input_signals.new_ones(1), z_time, z_feedback, w0_low, w0_high)


class PingPongDelay(_Echo):
    r"""Echoes that alternate between left and right.

    .. math:: l[n] = v_l(n - t), \quad v_l[n] = u_l[n] + g\,(h * r)[n]

    and the same with left and right exchanged. With the entrance ``"mono"``, the mean of all channels enters on the
    left alone: the first echo, after t, is on the left, the second, after 2t, on the right, and so on. With
    ``"stereo"``, each channel enters on its side, and echoes change sides. Loop, parameters and controls are those of
    :class:`FeedbackDelay`.

    Left and right are mid plus and minus side, which have separate loops with the gains g and −g.

    Args:
        max_time_ms: Longest time, in milliseconds.
        damped: Whether there is a filter in the loop.
        entrance: ``"mono"`` or ``"stereo"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: The longest time is not longer than the shortest; an unknown entrance.
    """

    def __init__(
        self,
        max_time_ms: float = 1000.0,
        damped: bool = True,
        entrance: Entrance = "mono",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(max_time_ms, damped, sample_rate, param_range)
        check_option("entrance", entrance, ("mono", "stereo"))
        self.entrance = entrance

    def forward(
        self,
        input_signals: Tensor,
        z_time: Tensor,
        z_feedback: Tensor,
        w0_low: Tensor | None = None,
        w0_high: Tensor | None = None,
    ) -> Tensor:
        """Make echoes.

        Args:
            input_signals: ``(B, 2, L)``, or ``(B, 1, L)``, which with a stereo entrance enters on both sides.
            z_time: ``(B, 1)``.
            z_feedback: ``(B, 1)``.
            w0_low: ``(B, 1)``, with ``damped``.
            w0_high: ``(B, 1)``, with ``damped``.

        Returns:
            The echoes ``(B, 2, L)``, without the input.

        Raises:
            ParameterError: The signal is neither mono nor stereo; cutoffs are missing, or given without ``damped``.
        """
        check_mono_or_stereo(input_signals, "PingPongDelay")
        if self.entrance == "mono":
            half = 0.5 * input_signals.mean(1, keepdim=True)
            both = half.expand(-1, 2, -1)
        else:
            both = lr_to_ms(input_signals.expand(-1, 2, -1))
        return ms_to_lr(self._echoes(both, input_signals.new_tensor([1.0, -1.0]), z_time, z_feedback, w0_low, w0_high))


def _times(polynomial: Tensor, coefficient: Tensor) -> Tensor:
    """Multiply a polynomial in 1/z, ``(B, n)``, by 1 + c/z."""
    ends = torch.zeros_like(coefficient)
    return torch.cat([polynomial, ends], -1) + coefficient * torch.cat([ends, polynomial], -1)
