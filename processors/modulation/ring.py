"""Ring modulation."""

import torch
from torch import Tensor

from ..arguments import bind, check_option
from ..base import Control, ParameterError, ParameterSize, Processor, run
from ..controls import ParamRange, hz
from ..core.broadcasting import is_one_of
from ..core.oscillator import pitch
from ..synth.oscillator import SawOscillator, SineOscillator, SquareOscillator, TriangleOscillator
from .base import MIX, Raw, Waveform, mix_control

CARRIERS = {
    "sine": SineOscillator,
    "triangle": TriangleOscillator,
    "saw": SawOscillator,
    "square": SquareOscillator,
}


class RingModulator(Processor):
    r"""Ring modulator: the product of a signal and a tone, which shifts each frequency up and down by that of the tone.

    .. math:: y[n] = (1 - m)\,u[n] + m\,u[n]\,w[n]

    The carrier w is a :class:`SineOscillator`, :class:`SawOscillator`, :class:`SquareOscillator` or
    :class:`TriangleOscillator` of amplitude 1. With ``external`` it is the signal at the inlet ``"carrier"``, silence
    if unconnected. The product aliases above half the sample rate.

    The control ``mix`` is m.

    Raw parameters:
        z_frequency, phase ``(B, 1)``: those of :class:`SineOscillator`; not with an external carrier.
        z_mix ``(B, 1)``: logit of m, between −0.001 and 1.001.

    Args:
        waveform: ``"sine"``, ``"triangle"``, ``"saw"`` or ``"square"``.
        external: Read the carrier from another node, at a second inlet ``"carrier"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown waveform.

    References:
        Bode, "History of electronic sound modification", JAES 32(10), 1984.
    """

    latency_samples = 0

    def __init__(
        self,
        waveform: Waveform = "sine",
        external: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        check_option("waveform", waveform, tuple(CARRIERS))
        super().__init__(sample_rate, param_range)
        self.waveform = waveform
        self.external = external
        self.inlets = ("main", "carrier") if external else ("main",)
        self.carrier = None if external else CARRIERS[waveform](sample_rate=sample_rate)

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("z_mix",) if self.external else ("z_frequency", "phase", "z_mix"), 1)

    def declare_controls(self) -> list[Control]:
        mix = mix_control()
        if self.carrier is None:
            return [mix]
        high, reference = min(20000.0, 0.49 * self.sample_rate), self.carrier.reference
        to_hertz = pitch(self.sample_rate, reference)
        return [
            hz("frequency_hz", 1.0, high, reference, "z_frequency", map=to_hertz),
            Control("phase_cycles", 0.0, 1.0, 0.0, "phase"),
            mix,
        ]

    def forward(self, *inlet_signals: Tensor, **raw_parameters: Tensor) -> Tensor:
        """Modulate signals.

        Args:
            inlet_signals: ``(B, C, L)``; with ``external``, also the carrier, ``(B, 1, L)`` or ``(B, C, L)``. Further
                positional arguments are raw parameters.
            raw_parameters: ``(B, 1)`` each.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: A signal or parameter is missing or unknown, or signals do not fit together.
        """
        (x, *carrier), raw = bind(self, self.inlets, inlet_signals, raw_parameters)
        tone = carrier[0] if carrier else self._tone(x, raw)
        if not is_one_of(tone.shape[1], 1, x.shape[1]):
            raise ParameterError(
                f"The signal {tuple(tone.shape)} at the inlet 'carrier' of RingModulator must have one channel, or as "
                f"many as {tuple(x.shape)} at 'main'."
            )
        mix = MIX.to_physical(raw["z_mix"]).unsqueeze(-1)
        return torch.addcmul(1 - mix, mix, tone) * x

    def _tone(self, x: Tensor, raw: Raw) -> Tensor:
        assert self.carrier is not None, "there is one unless it is external"
        gain = torch.ones_like(raw["phase"])
        phase, frequency = raw["phase"], raw["z_frequency"]
        return run(self.carrier, num_samples=x.shape[-1], z_frequency=frequency, phase=phase, gain=gain).to(x.dtype)
