"""Pictures of smoothers."""

from grafx.processors import AllpassSmoother, OnePoleSmoother, RampSmoother
from plots import Panel, following, magnitude, phase, vary

LEVELS = {0: 0.0, 5: 1.0, 50: 0.6, 60: 0.4, 65: 0.8}  # by milliseconds


def onepole_smoother() -> list[Panel]:
    settings = vary({}, *({"smoothing_ms": ms} for ms in (2, 5, 20)))
    return [following(OnePoleSmoother(), settings, LEVELS, 110), magnitude(OnePoleSmoother(), settings, -48, 6)]


def ramp_smoother() -> list[Panel]:
    settings = vary({}, *({"duration_ms": ms} for ms in (5, 20, 40)))
    return [following(RampSmoother(), settings, LEVELS, 110)]


def allpass_smoother() -> list[Panel]:
    settings = vary({}, *({"coefficient": a} for a in (0.5, -0.5, -0.9)))
    levels = {0: 0.0, 0.1: 1.0}
    return [following(AllpassSmoother(), settings, levels, 1.2), phase(AllpassSmoother(), settings)]


PICTURES: dict[str, list[Panel]] = {
    "OnePoleSmoother": onepole_smoother(),
    "RampSmoother": ramp_smoother(),
    "AllpassSmoother": allpass_smoother(),
}
