"""Noise: generators of signals that do not repeat, and yet are the same each time."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize
from ..controls import ParamRange
from ..core.biquad import biquad_cascade
from ..core.broadcasting import is_one_of
from ..core.noise import pink_filter, white_noise
from ..core.streaming import remember
from .base import Added, Generator, Raw

SEEDS = 0, 65535, 0


class WhiteNoise(Generator):
    r"""White noise: independent samples, spread evenly over −a to a.

    .. math:: y_c[n] = a[n]\,u(s, c, n), \quad u \sim \mathcal{U}(-1, 1)

    u is a function of the seed s, the channel c and the time n alone, see
    :func:`~grafx.processors.core.noise.white_noise`. So it is the same in every run, on every device, for every
    neighbour in a batch, and in blocks as on the whole, whatever else draws random numbers. Channels differ, but nodes
    of the same seed make the same noise: give each its own. The root mean square is :math:`a / \sqrt 3` at every sample
    rate, over a band up to half of it, so that a higher rate has less in each Hertz.

    Without inlets it is a generator, ``WhiteNoise()(num_samples=44100, dsp_params={"seed": 1})``. With the inlet
    ``"amplitude"``, the signal there is added to the amplitude; for an envelope to have all the say, set it to 0.

    Controls: ``seed`` (0 to 65535, of which the nearest integer counts), ``amplitude`` (0 to 1).

    Raw parameters:
        stream ``(B, 1)``: s, rounded; any integer within ±2⁵³ that its type can hold. Its gradient is 0.
        gain ``(B, 1)``: a, of any sign.

    Args:
        num_channels: how many channels with noise of their own there are. One goes with any number of channels at the
            inlet.
        inlets: ``("amplitude",)``, or none.
        sample_rate: samples per second.
        param_range: control name to (lowest, highest), in place of the range above.

    Raises:
        ParameterError: there are no channels, or an inlet is unknown.
    """

    modulated: Mapping[str, str] = {"amplitude": "gain"}

    def __init__(
        self,
        num_channels: int = 1,
        inlets: Sequence[str] = (),
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(inlets, sample_rate, param_range)
        if num_channels < 1:
            raise ParameterError(f"num_channels must be at least 1, not {num_channels}.")
        self.num_channels = num_channels

    def parameter_size(self) -> ParameterSize:
        return {"stream": 1, "gain": 1}

    def declare_controls(self) -> list[Control]:
        return [Control("seed", *SEEDS, "stream"), Control("amplitude", 0.0, 1.0, 1.0, "gain")]

    def generate(self, num_samples: int, raw: Raw, added: Added) -> Tensor:
        amplitude = self.modulate("amplitude", raw, added)
        if not is_one_of(amplitude.shape[1], 1, self.num_channels) and self.num_channels > 1:
            raise ParameterError(
                f"The inlet 'amplitude' of {type(self).__name__}(num_channels={self.num_channels}) has "
                f"{amplitude.shape[1]} channels: give it 1 or {self.num_channels}."
            )
        start = remember(lambda count: (count or 0, (count or 0) + num_samples), "samples before")
        return amplitude * self.color(white_noise(raw["stream"].squeeze(-1), num_samples, self.num_channels, start))

    def color(self, white: Tensor) -> Tensor:
        """What becomes of white noise ``(B, C, L)``."""
        return white


class PinkNoise(WhiteNoise):
    r"""Pink noise: its power falls by 3 dB per octave, so that all octaves have the same.

    It is the noise of :class:`WhiteNoise` with the same seed, with the same power in all,
    :math:`a^2 / 3`, after :func:`~grafx.processors.core.noise.pink_filter`: from 20 Hz to 20 kHz the spectrum is within
    0.15 dB of :math:`1/\sqrt f`. Single samples may reach beyond a, up to three times as far.

    Inlets, controls and raw parameters are those of :class:`WhiteNoise`.

    Args:
        num_channels: how many channels with noise of their own there are. One goes with any number of channels at the
            inlet.
        inlets: ``("amplitude",)``, or none.
        sample_rate: samples per second.
        param_range: control name to (lowest, highest), in place of the range of :class:`WhiteNoise`.

    Raises:
        ParameterError: there are no channels, or an inlet is unknown.
    """

    sos: Tensor

    def __init__(
        self,
        num_channels: int = 1,
        inlets: Sequence[str] = (),
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(num_channels, inlets, sample_rate, param_range)
        self.register_constant("sos", torch.from_numpy(pink_filter(sample_rate)))

    def color(self, white: Tensor) -> Tensor:
        return remember(partial(biquad_cascade, white, self.sos), "filter")
