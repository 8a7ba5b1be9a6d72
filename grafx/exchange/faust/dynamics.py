"""Dynamics in Faust: level, smoothing, static curve, gain."""

import math
from collections.abc import Callable, Sequence

import torch

from ...processors.core.bounds import soft_bound, soft_bound_sum
from ...processors.core.envelope import MAX_ALPHA, Ballistics
from ...processors.core.maps import NEPER, logit_of
from ...processors.dynamics.approx import ApproxNoiseGate
from ...processors.dynamics.base import HEARD_COMPRESSION, HEARD_EXPANSION, LOW_FLOOR, DynamicRangeProcessor
from ...processors.dynamics.de_esser import WIDTH
from ...processors.dynamics.desk import Expander
from ...processors.dynamics.dynamic_eq import DIRECTIONS, KNEE
from ...processors.dynamics.limiter import Limiter
from .draft import Draft, Signal, number, total
from .filters import bands_of

PER_DB = number(math.log(10) / 10)  # natural logarithm of an energy
TRANSIENT = "transient_"


def mean_square(x: Signal) -> str:
    return f"({total([f'{channel}*{channel}' for channel in x])})/{len(x)}"


def peak_square(x: Signal) -> str:
    loudest = f"{x[0]}*{x[0]}"
    for channel in x[1:]:
        loudest = f"max({loudest}, {channel}*{channel})"
    return loudest


def keyed(gain_of: Callable[[Draft], str]) -> Callable[[Draft], list[Signal]]:
    """A writer of one gain for all channels, with makeup where there is one."""

    def write(draft: Draft) -> list[Signal]:
        gain = gain_of(draft)
        if "log_makeup" in draft.raw:
            gain = f"{gain}*amplitude({draft.slider('makeup_db')})"
        gain = draft.define("gain", gain)
        x = [late(channel, getattr(draft.processor, "latency_samples", 0)) for channel in draft.x]
        return [[f"{channel}*{gain}" for channel in x]]

    return write


def late(signal: str, samples: int) -> str:
    return f"({signal} @ {samples})" if samples else signal


def smoothed(draft: Draft, signal: str, smoother, names: str = "", positive: bool = True) -> str:
    """Smooth an energy by the controls of a smoother, whose names begin alike."""
    if isinstance(smoother, Ballistics):
        attack, release = (f"coefficient({draft.slider(f'{names}{name}_ms')})" for name in ("attack", "release"))
        return f"({signal} : ballistics({attack}, {release}))"
    time = f"{names}smoothing_ms"
    time = time if time in draft.values else f"{names}attack_ms"  # of those that have one time in both directions
    alpha = f"min({number(MAX_ALPHA)}, coefficient({draft.slider(time)}))"
    smooth = f"({signal} : smoother({alpha}, {smoother.iir_len}))"
    return f"max(0, {smooth})" if positive else smooth


def compressor_gain(draft: Draft) -> str:
    """The gain of a compressor, an expander, a gate or a limiter."""
    p = draft.processor
    if isinstance(p, Limiter) and p.lookahead_ms:
        return _ahead(draft)
    detector = peak_square if isinstance(p, Limiter) else mean_square
    energy = detector(draft.inlets[-1])
    if p.energy_smoother is not None:
        energy = smoothed(draft, energy, p.energy_smoother)
    energy = draft.define("energy", energy)
    log_gain = static_log_gain(draft, p, f"log(max(0, {energy}) + {number(p.floor)})")
    return f"exp({log_gain})" if p.gain_smoother is None else _smoothed_gain(draft, log_gain)


def static_log_gain(draft: Draft, p: DynamicRangeProcessor, level: str, names: str = "") -> str:
    """ln of the gain of an amplitude for ln of an energy, by the controls whose names begin alike."""
    over = f"{level} - {draft.slider(names + 'threshold_db')}*{PER_DB}"
    over = draft.define(f"{names}over", f"0 - ({over})" if _mirrored(p) else over)
    if "log_range" in p.parameter_size():
        gain = f"{draft.slider(names + 'range_db')}/{number(NEPER)}"
        return f"{gain}*{step(draft, p, over, names)}"
    return f"{slope(draft, p, names)}*{knee(draft, p, over, names)}"


def _mirrored(p: DynamicRangeProcessor) -> bool:
    return p.mirrored or isinstance(p, ApproxNoiseGate)


def step(draft: Draft, p: DynamicRangeProcessor, over: str, names: str = "") -> str:
    """From 0 to 1 where a gate is closed."""
    if p.knee == "hard":
        return f"({over} >= 0)"
    return f"quadratic_step({_width(draft, names)}, {over})"


def knee(draft: Draft, p: DynamicRangeProcessor, over: str, names: str = "") -> str:
    if p.knee == "hard":
        return f"max(0, {over})"
    if p.knee == "exponential":
        return f"exponential_knee(exp({draft.slider(names + 'knee_db')})*{number(NEPER / 2)}, {over})"
    return f"{'guarded' if isinstance(p, ApproxNoiseGate) else 'quadratic'}_knee({_width(draft, names)}, {over})"


def _width(draft: Draft, names: str) -> str:
    return f"({draft.slider(names + 'knee_db')}*{number(2 / NEPER)} + 0.000001)"


def slope(draft: Draft, p: DynamicRangeProcessor, names: str = "") -> str:
    """Change of ln of an amplitude per change of ln of an energy, from the ratio that is heard."""
    ratio = draft.slider(names + "ratio")
    if isinstance(p, ApproxNoiseGate):
        return f"(0.5 - {ratio}/2)"
    if p.ratio_map is HEARD_COMPRESSION:
        excess = draft.define(f"{names}excess", f"({ratio} - 1)/({ratio} + 1) + 0.000001")
        return f"(0 - {excess}/(1 + {excess}))"
    if p.ratio_map is HEARD_EXPANSION:
        return f"(0 - ({ratio} - 1)/2 - 0.000001)"
    excess = draft.define(f"{names}excess", f"{ratio} - 1 + 0.000001")
    if isinstance(p, Expander):
        return f"(0 - {excess}/2)"
    return f"(0 - {excess}/(1 + {excess})/2)"


def _smoothed_gain(draft: Draft, log_gain: str) -> str:
    p = draft.processor
    target = draft.define("target", log_gain if p.gain_smooth_in_log else f"exp({log_gain})")
    if not isinstance(p.gain_smoother, Ballistics):
        smooth = smoothed(draft, target, p.gain_smoother, "gain_", positive=False)
    else:
        # A gain attacks when it falls. It starts from 1, to which the difference is smoothed.
        attack, release = (f"coefficient({draft.slider(f'gain_{name}_ms')})" for name in ("attack", "release"))
        rest = "0" if p.gain_smooth_in_log else "1"
        smooth = f"{rest} + (({target} - {rest}) : ballistics({release}, {attack}))"
    return f"exp({smooth})" if p.gain_smooth_in_log else f"({smooth})"


def _ahead(draft: Draft) -> str:
    """The gain of a limiter that looks ahead, which is late by as much."""
    p, ahead = draft.processor, draft.processor.latency_samples
    draft.scope.latency += ahead
    peaks, width = draft.define("peak", peak_square(draft.inlets[-1])), 1
    while width < ahead + 1:
        shift = min(width, ahead + 1 - width)
        peaks, width = draft.define(f"peak{width}", f"max({peaks}, {peaks} @ {shift})"), width + shift
    release = f"coefficient({draft.slider('release_ms')})"
    energy = draft.define("energy", f"{peaks} : ballistics(0, {release})")
    level = draft.define("level", f"log({energy} + {number(LOW_FLOOR)})")
    beyond = f"max(0, {level} - {draft.slider('threshold_db')}*{PER_DB})"
    wall = draft.define("wall", f"min({static_log_gain(draft, p, level)}, (0 - {beyond})/2)")
    attack = draft.define("attack", f"min({number(MAX_ALPHA)}, coefficient({draft.slider('attack_ms')}))")
    return f"exp(({wall} : smoother({attack}, {ahead + 1}))/(1 - pow({attack}, {ahead + 1})))"


def transient_gain(draft: Draft) -> str:
    energy = draft.define("energy", mean_square(draft.inlets[-1]))
    fast, slow = (
        draft.define(speed, smoothed(draft, energy, draft.processor.smoother, f"{speed}_"))
        for speed in ("fast", "slow")
    )
    lead = draft.define("lead", f"({fast} - {slow})/({fast} + {slow} + {number(2 * LOW_FLOOR)})")
    attack, sustain = (f"{draft.slider(f'{name}_db')}/{number(NEPER)}" for name in ("attack", "sustain"))
    return f"exp({attack}*max(0, {lead}) + {sustain}*max(0, 0 - {lead}))"


# Two factors.


def _transient_level(draft: Draft, energy: str) -> str:
    transient = draft.processor.transient
    smooth = draft.define("transient_energy", smoothed(draft, energy, transient.energy_smoother, TRANSIENT))
    return f"log(max(0, {smooth}) + {number(transient.floor)})"


def factorized_compressor_gain(draft: Draft) -> str:
    p = draft.processor
    frame = _frame_gain(draft)
    if p.transient is None:
        return frame
    key = draft.define("key_energy", f"({mean_square(draft.inlets[-1])})*{frame}*{frame}")
    level = _transient_level(draft, key)
    return f"{frame}*exp({static_log_gain(draft, p.transient, level, TRANSIENT)})"


def factorized_gate_gain(draft: Draft) -> str:
    p = draft.processor
    frame = _frame_gain(draft)
    if p.transient is None:
        return frame
    level = _transient_level(draft, mean_square(draft.inlets[-1]))
    threshold = f"{draft.slider(TRANSIENT + 'threshold_db')}*{PER_DB}"
    over = draft.define("transient_over", f"{threshold} - {level}")
    return f"pow({frame}, {step(draft, p.transient, over, TRANSIENT)})"


def _frame_gain(draft: Draft) -> str:
    def gain_of(level: str) -> str:
        return f"exp({static_log_gain(draft, draft.processor.frame, level)})"

    return draft.define("frame_gain", _between_frames(draft, gain_of))


def _between_frames(draft: Draft, gain_of: Callable[[str], str]) -> str:
    """The gain of frames, which moves along lines between the last two that are over."""
    p, hop = draft.processor, draft.processor.hop
    place = draft.define("place", f"ba.time % {hop}")
    starts = draft.define("starts", f"{place} == 0")
    whole = draft.define(
        "frame_sum", f"({mean_square(draft.inlets[-1])}) : (\\(sum_, u).(u + sum_*(1 - {starts}))) ~ _"
    )
    energy = draft.define("frame_energy", f"{whole}'/{hop}")
    smoother = p.frame.energy_smoother
    if isinstance(smoother, Ballistics):
        attack, release = (_per_frame(draft, f"{name}_ms", hop) for name in ("attack", "release"))
        after = f"(a*y + (1 - a)*u with {{ a = select2(u >= y, {release}, {attack}); }})"
    else:
        alpha = f"min({number(MAX_ALPHA)}, {_per_frame(draft, 'smoothing_ms', hop)})"
        taps = smoother.iir_len
        after = f"({alpha}*y + (1 - {alpha})*(u - pow({alpha}, {taps})*(u @ {taps * hop})))"
    smooth = draft.define("frame_level", f"{energy} : (\\(y, u).(select2({starts}, y, {after}))) ~ _")
    gain = draft.define("frame_target", gain_of(f"log(max(0, {smooth}) + {number(p.frame.floor)})"))
    before = draft.define("frame_before", f"{gain} : (\\(held, g).(select2({starts}, held, g'))) ~ _")
    # Before the first frame that is over, gains are those of silence.
    silent = draft.define("frame_silent", gain_of(f"log({number(p.frame.floor)})"))
    since = draft.define("frame_past", f"select2(ba.time < {hop}, {before}, {silent})")
    return f"{since} + ({gain} - {since})*({place} + 1)/{hop}"


def _per_frame(draft: Draft, name: str, hop: int) -> str:
    return f"exp(0 - {1000 * hop}/({draft.slider(name)}*ma.SR))"


# Bands.


def dynamic_equalizer(draft: Draft) -> list[Signal]:
    p, raw = draft.processor, draft.raw
    most = raw["log_range"] - 6.0 / NEPER
    _bounded(draft, p._usual(), "q_inv" in raw)
    draft.hear(
        log_gain=soft_bound_sum(soft_bound(raw["log_gain"], 10, 5), 15, 5),
        log_range=soft_bound_sum(soft_bound(most, 10, 5), 15, 5) + 6.0 / NEPER,
        log_ratio=soft_bound(raw["log_ratio"], 10, 5),
    )
    y, count = draft.x, p.num_bands
    peaks = raw["q_inv"].shape[-1] if "q_inv" in raw else 0
    for k, direction in enumerate(p.directions):
        index = (k,) if count > 1 else ()
        frequency = draft.slider("frequency_hz", *index)
        peak = k - 1 if p.use_shelving_filters else k
        if p.use_shelving_filters and k in (0, count - 1):
            band = f"{'lowpass1' if k == 0 else 'highpass1'}({frequency})"
        else:
            band = f"bandpass({frequency}, {draft.slider('q', *((peak,) if peaks > 1 else ()))})"
        band = draft.define(f"band{k}", band)
        energy = band_energy(draft, f"key{k}_", [f"{channel} : {band}" for channel in draft.inlets[-1]], frequency)
        follow = ballistics(draft, *index)
        moving = ranged(draft, f"moving{k}", f"{energy} : {follow}", index, DIRECTIONS[direction])
        change = draft.define(f"change{k}", f"exp({moving} + {draft.slider('gain_db', *index)}/{number(NEPER)}) - 1")
        y = draft.defined(f"after{k}_", [f"{channel} + {change}*({channel} : {band})" for channel in y])
    return [y]


def _bounded(draft: Draft, usual: Sequence[float], has_quality: bool) -> None:
    """Take frequencies around usual ones, and qualities, within the bounds of the cookbook."""
    middles = torch.tensor([logit_of(hertz, draft.scope.sample_rate) for hertz in usual], dtype=torch.float64)
    draft.hear(w0=soft_bound(draft.raw["w0"] + middles, 9, 2) - middles)
    if has_quality:
        draft.hear(q_inv=soft_bound(draft.raw["q_inv"], 8, 4))


def ballistics(draft: Draft, *index: int) -> str:
    times = (f"coefficient({draft.slider(f'{name}_ms', *index)})" for name in ("attack", "release"))
    return f"ballistics({', '.join(times)})"


def band_energy(draft: Draft, name: str, band: Signal, frequency: str) -> str:
    """The energy of a band, without the ripple of a squared sine."""
    band = draft.defined(name, band)
    turned = draft.defined(f"{name}turned", [f"{channel} : allpass1({frequency})" for channel in band])
    return draft.define(f"{name}energy", f"0.5*({mean_square(band)} + {mean_square(turned)})")


def ranged(draft: Draft, name: str, energy: str, index: tuple[int, ...], direction: float = 1.0) -> str:
    """ln of the gain of a ratio beyond a threshold, limited to a range."""
    energy = draft.define(f"{name}_energy", energy)
    over = f"log({energy} + {number(LOW_FLOOR)}) - {draft.slider('threshold_db', *index)}*{PER_DB}"
    over = draft.define(f"{name}_over", over if direction > 0 else f"0 - ({over})")
    excess = draft.define(f"{name}_excess", f"{draft.slider('ratio', *index)} - 1 + 0.000001")
    own = draft.define(f"{name}_slope", f"{excess}/(1 + {excess})/2")
    most = draft.define(f"{name}_most", f"{draft.slider('range_db', *index)}/{number(NEPER)}")
    ends = f"quadratic_knee({number(KNEE)}, {over} - abs({most})/{own})"
    return draft.define(name, f"ma.signum({most})*{own}*(quadratic_knee({number(KNEE)}, {over}) - {ends})")


def de_esser(draft: Draft) -> list[Signal]:
    p = draft.processor
    _bounded(draft, [p._usual], False)
    draft.hear(log_range=soft_bound(draft.raw["log_range"], 7, 1))
    frequency = draft.slider("frequency_hz")

    def bands(x: Signal, name: str) -> list[Signal]:
        if p.detector == "bandpass":
            return [draft.defined(name, [f"{c} : bandpass({frequency}, {number(1 / WIDTH)})" for c in x])]
        return bands_of(draft, x, [frequency], 4)

    own = bands(draft.x, "own")
    heard = own if len(draft.inlets) == 1 else bands(draft.inlets[-1], "key")
    energy = band_energy(draft, "heard", heard[-1], frequency)
    change = ranged(draft, "change", f"{energy} : {ballistics(draft)}", ())
    if p.mode == "wideband":
        return [[f"{channel}*exp({change})" for channel in draft.x]]
    if p.detector == "highpass":
        return [[f"{low} + {high}*exp({change})" for low, high in zip(*own, strict=True)]]
    return [[f"{channel} + {band}*(exp({change}) - 1)" for channel, band in zip(draft.x, own[0], strict=True)]]
