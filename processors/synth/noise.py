"""Noise generators with reproducible output."""

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
    r"""White noise: independent samples with a uniform distribution from −a to a.

    .. math:: y_c[n] = a[n]\,u(s, c, n), \quad u \sim \mathcal{U}(-1, 1)

    u is a function of the seed s, the channel c and the time n alone, see
    :func:`~grafx.processors.core.noise.white_noise`. So it is the same in every run, on every device, at any position
    in a batch, in blocks and offline, independent of other random numbers. Channels differ, but nodes with the same
    seed are identical: give each its own. The RMS is :math:`a / \sqrt 3` at every sample rate, over a bandwidth of half
    of it, so the density is lower at higher rates.

    Without inlets it is a generator, ``WhiteNoise()(num_samples=44100, dsp_params={"seed": 1})``. The signal at the
    inlet ``"amplitude"`` is added to the amplitude; set it to 0 if an envelope alone should control it.

    Controls: ``seed`` is rounded to s, ``amplitude`` is a.

    Raw parameters:
        stream ``(B, 1)``: s, rounded; any integer within ±2⁵³ that its type can hold. Its gradient is 0.
        gain ``(B, 1)``: a, of any sign.

    Args:
        num_channels: Number of independent channels. One is broadcast to the channels at the inlet.
        inlets: ``("amplitude",)``, or empty.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: There are no channels, or an inlet is unknown.
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
        """Filter white noise ``(B, C, L)``."""
        return white


class PinkNoise(WhiteNoise):
    r"""Pink noise: its power density falls by 3 dB per octave, so that all octaves have equal power.

    .. math:: y = h * u, \quad |H(f)|^2 \propto 1/f

    where u is the noise of :class:`WhiteNoise` with the same seed and the same total power, :math:`a^2 / 3`, and h is
    :func:`~grafx.processors.core.noise.pink_filter`: from 20 Hz to 20 kHz the spectrum is within 0.15 dB of
    :math:`1/\sqrt f`. Single samples may exceed a by up to a factor of three.

    Inlets, controls and raw parameters are those of :class:`WhiteNoise`.

    Args:
        num_channels: Number of independent channels. One is broadcast to the channels at the inlet.
        inlets: ``("amplitude",)``, or empty.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: There are no channels, or an inlet is unknown.
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
