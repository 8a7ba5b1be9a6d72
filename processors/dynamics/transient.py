"""Transient shaper, whose gain follows changes of the level."""

import torch.nn.functional as F
from torch import Tensor

from ..base import Control, ParameterSize
from ..controls import ParamRange, db, ms
from ..core.bounds import safe_exp
from ..core.envelope import Ballistics
from ..core.gain import mean_square
from ..core.maps import time_constant
from .base import LOW_FLOOR, KeyedGain, Raw

# Lowest, highest and default values.
GAINS = {"attack_db": (-24, 24, 0.0), "sustain_db": (-24, 24, 0.0)}
TIMES = {
    "z_alpha_fast": {"fast_attack_ms": (0.1, 10, 1.0), "fast_release_ms": (2, 200, 20.0)},
    "z_alpha_slow": {"slow_attack_ms": (1, 100, 10.0), "slow_release_ms": (20, 2000, 200.0)},
}


class TransientShaper(KeyedGain):
    r"""Transient shaper: raises or lowers the attacks and the sustained parts of sounds, independent of their level.

    Two envelopes f, fast, and s, slow, follow the energy, averaged over channels, with an attack and a release time
    each. Where a sound begins, f runs ahead of s, and where it decays, f falls below s. Their difference, relative to
    their sum, sets the gain:

    .. math::
        y = e^g u, \quad g = a \max(0, d) + b \max(0, -d), \quad
        d = \frac{f - s}{f + s + 2\varepsilon} = \tanh \frac{\ln (f + \varepsilon) - \ln (s + \varepsilon)}{2}

    with a = ``log_attack``, b = ``log_sustain`` and ε = 10⁻¹³. d lies within −1 and 1, so ``attack_db`` and
    ``sustain_db`` are the maximum gains; a steady sound is unchanged.

    Controls: ``attack_db`` and ``sustain_db``, and the times of both envelopes, ``fast_attack_ms``,
    ``fast_release_ms``, ``slow_attack_ms`` and ``slow_release_ms``, which are time constants, to 1 − 1/e of the energy.
    A steady sound leaves ripple in both envelopes; with the same ratio of attack to release in both, they settle to the
    same value.

    Raw parameters: ``log_attack``, ``log_sustain``: 1 each, ln of amplitudes. ``z_alpha_fast``, ``z_alpha_slow``: 2
    each, logits of the coefficients of attack and release.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    References:
        SPL electronics, "Transient Designer, model 9946: user's manual", whose circuit compares two envelopes for the
        attack and two more for the sustain.
    """

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        *,
        sidechain: bool = False,
    ) -> None:
        super().__init__(sidechain, sample_rate=sample_rate, param_range=param_range)
        self.smoother = Ballistics()

    def parameter_size(self) -> ParameterSize:
        return {"log_attack": 1, "log_sustain": 1, "z_alpha_fast": 2, "z_alpha_slow": 2}

    def declare_controls(self) -> list[Control]:
        gains = [db(name, *limits, f"log_{name.removesuffix('_db')}") for name, limits in GAINS.items()]
        return gains + [
            ms(name, *limits, raw, index=index, map=time_constant(self.sample_rate))
            for raw, names in TIMES.items()
            for index, (name, limits) in enumerate(names.items())
        ]

    def gain(self, key: Tensor, raw: Raw) -> Tensor:
        energy = mean_square(key)
        fast, slow = (self.smoother(energy, raw[name]) for name in TIMES)
        lead = (fast - slow) / (fast + slow + 2 * LOW_FLOOR)
        return safe_exp(raw["log_attack"] * F.relu(lead) + raw["log_sustain"] * F.relu(-lead))
