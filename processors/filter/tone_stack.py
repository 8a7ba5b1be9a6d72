"""Tone controls of guitar amplifiers."""

import math
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange
from ..core.maps import TO_SILENCE, sigmoid
from ..core.precision import wide
from ..core.state_space import state_space
from ..core.streaming import once, remember

KNOBS = ("bass", "mid", "treble")
TAPER = 3.4  # of a logarithmic pot, which turned halfway has exp(−1.7), 18 % of its resistance
BEYOND = 1e-3  # of the turn of a pot, which raw parameters reach, so that both ends have finite ones
KNOB = sigmoid(-BEYOND, 1 + BEYOND)


class Components(NamedTuple):
    """Resistors in ohm and capacitors in farad of a tone stack.

    Attributes:
        R1: Treble potentiometer.
        R2: Bass potentiometer.
        R3: Mid potentiometer.
        R4: Slope resistor.
        C1: Treble capacitor.
        C2: Bass capacitor.
        C3: Mid capacitor.
    """

    R1: float
    R2: float
    R3: float
    R4: float
    C1: float
    C2: float
    C3: float


AMPLIFIERS: Mapping[str, Components] = MappingProxyType(
    {
        "bassman": Components(250e3, 1e6, 25e3, 56e3, 0.25e-9, 20e-9, 20e-9),
        "twin_reverb": Components(250e3, 250e3, 10e3, 100e3, 0.12e-9, 100e-9, 47e-9),
        "jcm800": Components(220e3, 1e6, 22e3, 33e3, 0.47e-9, 22e-9, 22e-9),
        "top_boost": Components(1e6, 1e6, 10e3, 100e3, 0.05e-9, 22e-9, 22e-9),
    }
)
"""Components of amplifiers: Fender Bassman 5F6-A, Fender Twin Reverb AA270, Marshall JCM 800 2203, Vox top boost."""


class ToneStack(Processor):
    r"""Tone stack of a guitar amplifier: a passive network of bass, mid and treble potentiometers.

    .. math:: H(s) = \frac{b_1 s + b_2 s^2 + b_3 s^3}{1 + a_1 s + a_2 s^2 + a_3 s^3}, \quad
        s = 2 f_s\,\frac{1 - z^{-1}}{1 + z^{-1}}

    with the positions t of the treble, m of the mid and l of the bass potentiometer,

    .. math::
        b_1 &= t C_1 R_1 + m C_3 R_3 + (C_1 + C_2)(l R_2 + R_3) \\
        b_2 &= t (C_1 C_2 + C_1 C_3) R_1 R_4 - m^2 (C_1 + C_2) C_3 R_3^2 + m \bigl(C_1 C_3 R_1 R_3 +
            (C_1 + C_2) C_3 R_3^2\bigr) + l \bigl(C_1 C_2 R_1 R_2 + C_1 (C_2 + C_3) R_2 R_4\bigr) \\
            &\quad + l m (C_1 + C_2) C_3 R_2 R_3 + C_1 C_2 R_1 R_3 + C_1 (C_2 + C_3) R_3 R_4 \\
        b_3 &= C_1 C_2 C_3 \bigl(l m (R_1 + R_4) R_2 R_3 + (m - m^2)(R_1 + R_4) R_3^2 + t R_1 R_3 R_4 - t m R_1 R_3 R_4
            + t l R_1 R_2 R_4\bigr) \\
        a_1 &= C_1 (R_1 + R_3) + C_2 (R_3 + R_4) + C_3 R_4 + m C_3 R_3 + l (C_1 + C_2) R_2 \\
        a_2 &= m \bigl(C_1 C_3 R_1 R_3 - C_2 C_3 R_3 R_4 + (C_1 + C_2) C_3 R_3^2\bigr) + l m (C_1 + C_2) C_3 R_2 R_3
            - m^2 (C_1 + C_2) C_3 R_3^2 \\
            &\quad + l \bigl(C_1 C_2 R_1 R_2 + (C_1 C_2 + C_1 C_3 + C_2 C_3) R_2 R_4\bigr) + C_1 (C_2 + C_3) R_1 R_4
            + C_1 C_2 R_1 R_3 + (C_1 C_2 + C_1 C_3 + C_2 C_3) R_3 R_4 \\
        a_3 &= C_1 C_2 C_3 \bigl(l m (R_1 + R_4) R_2 R_3 + (m - m^2)(R_1 + R_4) R_3^2 - m R_1 R_3 R_4 + l R_1 R_2 R_4
            + R_1 R_3 R_4\bigr)

    The bass potentiometer is logarithmic, l = exp(3.4 (bass − 1)), the others are linear. There is no flat setting:
    with all controls in the middle the mids are 9 to 24 dB down. The three capacitors make it a third-order filter,
    which is computed as the exact recursion, in double precision.

    Raw parameters:
        z_knobs ``(B, 3)``: Bass, mid and treble; the positions are logistic functions, from 0 to 1 and 0.001 beyond.

    Args:
        components: ``"bassman"``, ``"twin_reverb"``, ``"jcm800"`` or ``"top_boost"``; or resistors R1 to R4 in ohm and
            capacitors C1 to C3 in farad, by name.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown amplifier, or components that are missing or not positive.

    References:
        Yeh and Smith, "Discretization of the '59 Fender Bassman tone stack", DAFx 2006; components of other amplifiers,
        the schematics of their makers.
    """

    latency_samples = 0

    def __init__(
        self,
        components: str | Mapping[str, float] = "bassman",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        self.components = _components(components)

    def parameter_size(self) -> ParameterSize:
        return {"z_knobs": 3}

    def declare_controls(self) -> list[Control]:
        return [Control(name, 0.0, 1.0, 0.5, "z_knobs", index=index, map=KNOB) for index, name in enumerate(KNOBS)]

    def forward(self, input_signals: Tensor, z_knobs: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            z_knobs: ``(B, 3)``.

        Returns:
            ``(B, C, L)``.
        """
        system = once(self._system, z_knobs)
        return remember(partial(_run, input_signals, system), "tone stack")

    def tail_samples(self, z_knobs: Tensor) -> int:
        if not z_knobs.numel():
            return 0
        slowest = torch.linalg.eigvals(self._system(z_knobs.detach())[0]).abs().max().clamp(1e-30, 1 - 1e-9)
        return math.ceil(TO_SILENCE / -slowest.log()) + 3

    def transfer(self, z_knobs: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the coefficients b and a of the powers of s, ``(B, 4)``, that of 1 first."""
        R1, R2, R3, R4, C1, C2, C3 = self.components
        bass, m, t = KNOB.to_physical(wide(z_knobs)).unbind(-1)
        lb = torch.exp(TAPER * (bass - 1))
        one, pairs, triple = torch.ones_like(m), C1 * C2 + C1 * C3 + C2 * C3, C1 * C2 * C3
        b1 = t * C1 * R1 + m * C3 * R3 + (C1 + C2) * (lb * R2 + R3)
        a1 = C1 * (R1 + R3) + C2 * (R3 + R4) + C3 * R4 + m * C3 * R3 + lb * (C1 + C2) * R2
        mid = (m - m * m) * (C1 + C2) * C3 * R3**2 + m * C1 * C3 * R1 * R3 + lb * m * (C1 + C2) * C3 * R2 * R3
        b2 = (
            mid
            + t * C1 * (C2 + C3) * R1 * R4
            + lb * (C1 * C2 * R1 * R2 + C1 * (C2 + C3) * R2 * R4)
            + (C1 * C2 * R1 * R3 + C1 * (C2 + C3) * R3 * R4)
        )
        a2 = (
            mid
            - m * C2 * C3 * R3 * R4
            + lb * (C1 * C2 * R1 * R2 + pairs * R2 * R4)
            + (C1 * (C2 + C3) * R1 * R4 + C1 * C2 * R1 * R3 + pairs * R3 * R4)
        )
        common = lb * m * (R1 + R4) * R2 * R3 + (m - m * m) * (R1 + R4) * R3**2
        series = R1 * R3 * R4 * (1 - m) + lb * R1 * R2 * R4
        b3, a3 = triple * (common + t * series), triple * (common + series)
        return torch.stack([0 * one, b1, b2, b3], -1), torch.stack([one, a1, a2, a3], -1)

    def _system(self, z_knobs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute A ``(B, 1, 3, 3)``, B, C ``(B, 1, 3)`` and D ``(B, 1)`` of the transposed direct form II."""
        b, a = (_bilinear(c, 2 * self.sample_rate).unsqueeze(1) for c in self.transfer(z_knobs))
        b, a = b / a[..., :1], a / a[..., :1]
        shift = torch.eye(2, 3, dtype=a.dtype, device=a.device).roll(1, 1).expand(*a.shape[:-1], 2, 3)
        down = torch.cat([shift, torch.zeros_like(shift[..., :1, :])], -2)
        first = torch.eye(1, 3, dtype=a.dtype, device=a.device)[0]
        A = down - a[..., 1:, None] * first
        return A, b[..., 1:] - a[..., 1:] * b[..., :1], first.expand(*a.shape[:-1], 3), b[..., 0]


def _run(x: Tensor, system: tuple[Tensor, ...], state: Tensor | None) -> tuple[Tensor, Tensor]:
    A, B, C, D = system
    return state_space(x, A, B, C, D, state)


def _bilinear(c: Tensor, rate: float) -> Tensor:
    """Compute the polynomial in 1/z of c₀ + c₁ s + c₂ s² + c₃ s³, s = rate (1 − 1/z)/(1 + 1/z), times (1 + 1/z)³."""
    c0, c1, c2, c3 = (c * rate ** torch.arange(4, dtype=c.dtype, device=c.device)).unbind(-1)
    return torch.stack([c0 + c1 + c2 + c3, 3 * c0 + c1 - c2 - 3 * c3, 3 * c0 - c1 - c2 + 3 * c3, c0 - c1 + c2 - c3], -1)


def _components(given: str | Mapping[str, float]) -> Components:
    if isinstance(given, str):
        if given not in AMPLIFIERS:
            raise ParameterError(
                f"components must be one of {', '.join(map(repr, AMPLIFIERS))}, or a dict of "
                f"{', '.join(Components._fields)}, not {given!r}."
            )
        return AMPLIFIERS[given]
    given = given._asdict() if isinstance(given, Components) else dict(given)
    if set(given) != set(Components._fields) or not all(0 < value < math.inf for value in given.values()):
        raise ParameterError(
            f"components need a positive number for each of {', '.join(Components._fields)}, and nothing else, but "
            f"are {given}."
        )
    return Components(**given)
