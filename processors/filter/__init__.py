"""Filters, crossovers and smoothers."""

from .allpass import AllpassCascade, AllpassLattice, SchroederAllpass
from .butterworth import ButterworthFilter
from .cookbook import (
    AllPassFilter,
    BandPassFilter,
    BandRejectFilter,
    HighPassFilter,
    HighShelf,
    LowPassFilter,
    LowShelf,
    PeakingFilter,
)

# Names of GRAFX that are not exported further.
from .cookbook import CookbookEqualizer as BaseParametricEqualizerFilter  # noqa: F401
from .cookbook import CookbookFilter as BaseParametricFilter  # noqa: F401
from .crossover import LinkwitzRileyCrossover
from .dc_blocker import DCBlocker
from .ladder import LadderFilter
from .learned import BiquadFilter, FIRFilter, PoleZeroFilter, StateVariableFilter
from .smoothing import (
    AllpassSmoother,
    OnePoleSmoother,
    RampSmoother,
    allpass_smoother_init,
    allpass_smoother_process,
    allpass_smoother_tick,
    allpass_smoother_update_state,
    onepole_smoother_init,
    onepole_smoother_process,
    onepole_smoother_tick,
    onepole_smoother_update_state,
    ramp_smoother_init,
    ramp_smoother_process,
    ramp_smoother_tick,
    ramp_smoother_update_state,
)
from .stacked_svf import StackedStateVariableFilter
from .tone_stack import ToneStack

__all__ = [
    "AllPassFilter",
    "AllpassCascade",
    "AllpassLattice",
    "AllpassSmoother",
    "BandPassFilter",
    "BandRejectFilter",
    "BiquadFilter",
    "ButterworthFilter",
    "DCBlocker",
    "FIRFilter",
    "HighPassFilter",
    "HighShelf",
    "LadderFilter",
    "LinkwitzRileyCrossover",
    "LowPassFilter",
    "LowShelf",
    "OnePoleSmoother",
    "PeakingFilter",
    "PoleZeroFilter",
    "RampSmoother",
    "SchroederAllpass",
    "StackedStateVariableFilter",
    "StateVariableFilter",
    "ToneStack",
    "allpass_smoother_init",
    "allpass_smoother_process",
    "allpass_smoother_tick",
    "allpass_smoother_update_state",
    "onepole_smoother_init",
    "onepole_smoother_process",
    "onepole_smoother_tick",
    "onepole_smoother_update_state",
    "ramp_smoother_init",
    "ramp_smoother_process",
    "ramp_smoother_tick",
    "ramp_smoother_update_state",
]
