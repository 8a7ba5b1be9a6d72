"""Rotary speakers."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ..arguments import bind
from ..base import Control, ParameterError, ParameterSize, Processor, run
from ..controls import ParamRange, db, hz, ms
from ..core.bounds import safe_exp
from ..core.delay_line import Interpolation, delay_line_init, delay_line_process, delay_line_tail
from ..core.maps import MARGIN, NEPER, exponential, within
from ..core.oscillator import sine
from ..core.phase import running_phase
from ..core.precision import wide
from ..core.streaming import remember
from ..filter.crossover import LinkwitzRileyCrossover
from ..synth.oscillator import RATES

Raw = Mapping[str, Tensor]

ROTORS = ("drum", "horn")  # as the bands of the crossover
FAST = (5.7, 6.7)  # Hz
DIRECTIONS = (-1.0, 1.0)
CROSSOVER = 800.0  # Hz
SWINGS = (0.0, 1.0)  # ms
DEPTHS = (0.0, 24.0)  # dB
ANGLES = (0.0, 180.0)
DEFAULTS = {"rate_hz": FAST, "swing_ms": (0.35, 0.52), "depth_db": (4.0, 10.0), "phase_cycles": (0.0, 0.0)}


class RotarySpeaker(Processor):
    r"""Rotary speaker: a drum for low and a horn for high frequencies, which rotate in front of two microphones.

    .. math::
        y_i[n] &= \sum_{r} \Bigl(1 - \tfrac{1 - h_r}{2} (1 - q_{r,i}[n])\Bigr)\,u_r\bigl(n - t_{r,i}[n]\bigr), \quad
        t_{r,i}[n] = \tfrac{f_s}{1000} S_r\,(1 - q_{r,i}[n]) \\
        q_{r,i}[n] &= \cos 2\pi \bigl(\pm \tfrac{n f_r}{f_s} + \varphi_r - \alpha_i\bigr), \quad h_r = 10^{-D_r / 20}

    A crossover splits the mean of the channels into u for the rotors r, and the output has two channels, of the
    microphones i at the angles α = ±a/2. A rotor that points at a microphone, q = 1, is nearest and loudest. As it
    turns away, the path gets longer by up to 2 S, which shifts the pitch by the Doppler effect, and the level falls by
    up to D. A horn with a radius of 0.18 m has a swing S of 0.52 ms. Drum and horn rotate in opposite directions. The
    crossover is a :class:`LinkwitzRileyCrossover`; reflections from a cabinet are not included.

    With ``external``, the signal at the inlet ``"speed"`` is added to both rates, in Hz, so that the rotors can slow
    down and speed up. In a graph, an unconnected inlet reads silence.

    Controls for each of ``drum`` and ``horn``: ``{rotor}_rate_hz`` is f, ``{rotor}_phase_cycles`` φ,
    ``{rotor}_swing_ms`` S and ``{rotor}_depth_db`` D. In addition, ``mic_angle_deg`` is a.

    Raw parameters, in the order drum, horn:
        log_rate ``(B, 2)``: natural logarithms of f relative to 5.7 and 6.7 Hz.
        phase ``(B, 2)``: φ in cycles.
        z_swing, z_depth ``(B, 2)``: logits of S and D, which reach 1 % beyond their ranges.
        log_freq ``(B, 1)``: That of the crossover.
        z_angle ``(B, 1)``: logit of a, which reaches 1 % beyond its range.

    Args:
        interpolation: ``"linear"``, ``"cubic"`` or ``"allpass"``, see
            :func:`~grafx.processors.core.delay_line.delay_line_init`.
        external: Add the signal at a second inlet ``"speed"`` to the rates.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown interpolation.

    References:
        Smith, Serafin, Abel and Berners, "Doppler simulation and the Leslie", DAFx 2002; Henricksen, "Unearthing the
        mysteries of the Leslie cabinet", Recording Engineer/Producer, 1981.
    """

    latency_samples = 0

    def __init__(
        self,
        interpolation: Interpolation = "cubic",
        external: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        self.interpolation = interpolation
        self.external = external
        self.inlets = ("main", "speed") if external else ("main",)
        self.crossover = LinkwitzRileyCrossover(2, sample_rate)
        _, self._line = delay_line_init(2 * (1 + MARGIN) * SWINGS[1] * sample_rate / 1000, interpolation)

    def parameter_size(self) -> ParameterSize:
        rotors = dict.fromkeys(("log_rate", "phase", "z_swing", "z_depth"), 2)
        return {**rotors, **self.crossover.parameter_size(), "z_angle": 1}

    def declare_controls(self) -> list[Control]:
        low, high, _ = RATES
        (crossover,) = self.crossover.declare_controls()
        controls = []
        for i, rotor in enumerate(ROTORS):
            rate, swing, depth, phase = (DEFAULTS[n][i] for n in ("rate_hz", "swing_ms", "depth_db", "phase_cycles"))
            to_rate = exponential(FAST[i], floor=0)
            controls += [
                hz(f"{rotor}_rate_hz", low, high, rate, "log_rate", index=i, map=to_rate),
                Control(f"{rotor}_phase_cycles", 0.0, 1.0, phase, "phase", index=i),
                ms(f"{rotor}_swing_ms", *SWINGS, swing, "z_swing", index=i, scale="linear", map=within(*SWINGS)),
                db(f"{rotor}_depth_db", *DEPTHS, depth, "z_depth", index=i, map=within(*DEPTHS)),
            ]
        default = min(CROSSOVER, crossover.high)
        angle = Control("mic_angle_deg", *ANGLES, sum(ANGLES) / 2, "z_angle", unit="°", map=within(*ANGLES))
        return [*controls, replace(crossover, name="crossover_hz", default=default), angle]

    def forward(self, *inlet_signals: Tensor, **raw_parameters: Tensor) -> Tensor:
        """Process signals.

        Args:
            inlet_signals: ``(B, C, L)``; with ``external``, also the speed, ``(B, 1, L)``. Further positional arguments
                are raw parameters.
            raw_parameters: ``(B, 2)`` or ``(B, 1)`` each.

        Returns:
            ``(B, 2, L)``.

        Raises:
            ParameterError: A signal or parameter is missing or unknown, or signals do not fit together.
        """
        (x, *speed), raw = bind(self, self.inlets, inlet_signals, raw_parameters)
        if speed and speed[0].shape[1] != 1:
            raise ParameterError(
                f"The signal {tuple(speed[0].shape)} at the inlet 'speed' of RotarySpeaker must have one channel."
            )
        bands = run(self.crossover, x.mean(1, keepdim=True), log_freq=raw["log_freq"])
        away = 1 - self._facing(x, speed[0] if speed else None, raw)
        swing = within(*SWINGS).to_physical(raw["z_swing"])[..., None, None]
        depth = within(*DEPTHS).to_physical(raw["z_depth"])[..., None, None]
        times = swing * away
        split = torch.stack(bands, 1).expand_as(times)
        line, scale = self._line, self.sample_rate / 1000
        heard = remember(lambda state: delay_line_process(split, times, state, line, scale=scale), "delay line")
        gains = 1 + torch.expm1(-depth / NEPER) / 2 * away
        return (gains * heard).sum(1)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return delay_line_tail(self._line) + self.crossover.tail_samples(raw_parameters["log_freq"])

    def _facing(self, x: Tensor, speed: Tensor | None, raw: Raw) -> Tensor:
        """Compute how far each rotor points at each microphone, ``(B, rotors, microphones, L)``, from −1 to 1."""
        rates = safe_exp(wide(raw["log_rate"])) * torch.tensor(FAST, dtype=torch.float64, device=x.device)
        start = partial(running_phase, rates, self.sample_rate, x.new_zeros(1, 1, 1), x.shape[-1], speed)
        directions, sides = (torch.tensor(d, dtype=x.dtype, device=x.device) for d in (DIRECTIONS, (-0.5, 0.5)))
        turns = directions[:, None] * remember(start, "turns") + raw["phase"].unsqueeze(-1)
        angle = within(*ANGLES).to_physical(raw["z_angle"]) / 360
        return sine(turns.unsqueeze(2) - (sides * angle + 0.75)[:, None, :, None])
