"""Freeverb, a reverb of comb and allpass filters."""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange
from ..core.channels import check_mono_or_stereo
from ..core.freeverb import State, combs_and_allpasses
from ..core.lasting import lasting
from ..core.maps import within
from ..core.precision import wide
from ..core.streaming import once, remember

# Samples at 44.1 kHz.
COMBS = 1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617
ALLPASSES = 556, 441, 341, 225
SPREAD = 23  # by how much those on the right are longer

INPUT_GAIN = 0.015
FEEDBACK = 0.7, 0.28  # in the smallest room, and how much more there is in the largest
MOST_DAMPING = 0.4
ALLPASS_GAIN = 0.5
KNOB = within(0, 1)
PIECE = 1 << 16  # samples of the delays that are kept at once
SILENCE = math.log(1e-3)


class Freeverb(Processor):
    r"""Freeverb by Jezar, a Schroeder reverb: eight parallel comb filters, then four allpass filters, on each side.

    .. math::
        \mathrm{comb}_m(z) = \frac{z^{-m}}{1 - f\,\frac{1 - d}{1 - d z^{-1}}\,z^{-m}}, \quad
        \mathrm{allpass}_m(z) = \frac{-1 + (1 + g)\,z^{-m}}{1 - g z^{-m}}, \quad
        f = 0.7 + 0.28\,\mathtt{room\_size}, \quad d = 0.4\,\mathtt{damping}, \quad g = \tfrac12

    The input of both sides is the sum of left and right (mono counts twice), scaled by 0.015. On the right, all delays
    are 23 samples longer. Delays refer to 44.1 kHz; at other rates they keep their duration, and d is adapted to keep
    the damping of high frequencies. The width w mixes the two sides: :math:`\tfrac{1 + w}{2}` of a side's own, and
    :math:`\tfrac{1 - w}{2}` of the other's. The allpass filters are approximations, as in the original. The output is
    wet: to mix it, use :class:`~grafx.processors.DryWet`. All filters are computed as exact recursions.

    Raw parameters; each control is 1.02 σ − 0.01:
        z_room ``(B, 1)``: its logit.
        z_damping ``(B, 1)``: likewise.
        z_width ``(B, 1)``: likewise.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: The sample rate is not positive.

    References:
        Jezar at Dreampoint, Freeverb, 2000; described by Smith, "Physical audio signal processing", W3K Publishing,
        2010. Schroeder, "Natural sounding artificial reverberation", JAES 10(3), 1962; the filter in the loop, Moorer,
        "About this reverberation business", Computer Music Journal 3(2), 1979.
    """

    latency_samples = 0

    def __init__(self, sample_rate: float = 44100, param_range: ParamRange | None = None) -> None:
        super().__init__(sample_rate, param_range)
        left = (*COMBS, *ALLPASSES)
        self.delays = [self._scaled(side) for side in (left, [m + SPREAD for m in left])]

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("z_room", "z_damping", "z_width"), 1)

    def declare_controls(self) -> list[Control]:
        return [
            Control("room_size", 0, 1, 0.5, "z_room", map=KNOB),
            Control("damping", 0, 1, 0.5, "z_damping", map=KNOB),
            Control("width", 0, 1, 1.0, "z_width", map=KNOB),
        ]

    def forward(self, input_signals: Tensor, z_room: Tensor, z_damping: Tensor, z_width: Tensor) -> Tensor:
        """Reverberate.

        Args:
            input_signals: ``(B, 1, L)`` or ``(B, 2, L)``.
            z_room, z_damping, z_width: ``(B, 1)``.

        Returns:
            The wet signals ``(B, 2, L)``.

        Raises:
            ParameterError: Signals of more than two channels.
        """
        check_mono_or_stereo(input_signals, "Freeverb", "takes mono or stereo signals")
        x = (INPUT_GAIN * input_signals.expand(-1, 2, -1).sum(1)).repeat_interleave(2, 0)
        loop = once(self._loop, z_room, z_damping).repeat_interleave(2, 0)
        y = remember(lambda state: _in_pieces(x, self.delays, loop, state), "combs").unflatten(0, (-1, 2))
        width = KNOB.to_physical(z_width).unsqueeze(-1)
        return (1 + width) / 2 * y + (1 - width) / 2 * y.flip(1)

    def tail_samples(self, z_room: Tensor, **raw_parameters: Tensor) -> int:
        if not z_room.numel():
            return 0
        _, right = self.delays
        passes = SILENCE / math.log(_feedback(z_room.detach()).max())
        combs, allpasses = right[: len(COMBS)], sum(right[len(COMBS) :])
        return math.ceil(max(combs) * (1 + passes) + allpasses * (1 + SILENCE / math.log(ALLPASS_GAIN)))

    def _loop(self, z_room: Tensor, z_damping: Tensor) -> Tensor:
        """Compute gain and pole of the filters in the loops, ``(B, 2)``."""
        pole = _pole_at(self.sample_rate, MOST_DAMPING * KNOB.to_physical(wide(z_damping)))
        return torch.cat([_feedback(wide(z_room)) * (1 - pole), pole], -1)

    def _scaled(self, delays: Sequence[int]) -> list[int]:
        return [max(1, int(m * self.sample_rate // 44100)) for m in delays]


@lru_cache(maxsize=8)
@lasting()
def lossless_echoes(sample_rate: float, num_samples: int) -> Tensor:
    """Compute the response of a Freeverb whose combs lose nothing, so that all of it is as loud.

    Args:
        sample_rate: Samples per second.
        num_samples: How many; the first echo is 25 ms late.

    Returns:
        Left and right ``(2, num_samples)`` in float64, of unit power from the first echo on. They must not be changed.

    Raises:
        ParameterError: There is no echo within so many samples.
    """
    delays = Freeverb(sample_rate).delays
    first = min(map(min, (side[: len(COMBS)] for side in delays)))
    latest = max(max(side[: len(COMBS)]) for side in delays)
    if num_samples <= latest:
        raise ParameterError(f"The echoes of Freeverb begin after {latest} samples, but there are {num_samples}.")
    impulse = torch.zeros(2, num_samples, dtype=torch.float64, device="cpu")
    impulse[:, 0] = 1
    echoes, _ = combs_and_allpasses(impulse, delays, impulse.new_tensor([[1.0, 0.0]] * 2), ALLPASS_GAIN)
    return echoes / echoes[:, first:].square().mean().sqrt()


def _feedback(z_room: Tensor) -> Tensor:
    least, more = FEEDBACK
    return least + more * KNOB.to_physical(z_room)


def _pole_at(sample_rate: float, pole: Tensor) -> Tensor:
    """Convert the pole of a first-order low-pass from 44.1 kHz to another sample rate.

    At low frequencies, its power falls as k ω² with k = d / (1 − d)², which is proportional to the squared sample rate.
    """
    k = (pole / (1 - pole).square() * (sample_rate / 44100) ** 2).clamp(min=-0.2)
    return 2 * k / (2 * k + 1 + torch.sqrt(4 * k + 1))


def _in_pieces(
    x: Tensor, delays: Sequence[Sequence[int]], loop: Tensor, state: State | None
) -> tuple[Tensor, State | None]:
    outputs = []
    for piece in x.split(PIECE, -1):
        y, state = combs_and_allpasses(piece, delays, loop, ALLPASS_GAIN, state)
        outputs.append(y)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1), state
