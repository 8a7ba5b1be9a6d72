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
from .block import Block, Signal, number, total
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


def keyed(gain_of: Callable[[Block], str]) -> Callable[[Block], list[Signal]]:
    """A writer of one gain for all channels, with makeup where there is one."""

    def write(block: Block) -> list[Signal]:
        gain = gain_of(block)
        if "log_makeup" in block.raw:
            gain = f"{gain}*amplitude({block.slider('makeup_db')})"
        gain = block.define("gain", gain)
        x = [late(channel, getattr(block.processor, "latency_samples", 0)) for channel in block.x]
        return [[f"{channel}*{gain}" for channel in x]]

    return write


def late(signal: str, samples: int) -> str:
    return f"({signal} @ {samples})" if samples else signal


def smoothed(block: Block, signal: str, smoother, names: str = "", positive: bool = True) -> str:
    """Smooth an energy by the controls of a smoother, whose names begin alike."""
    if isinstance(smoother, Ballistics):
        attack, release = (f"coefficient({block.slider(f'{names}{name}_ms')})" for name in ("attack", "release"))
        return f"({signal} : ballistics({attack}, {release}))"
    alpha = f"min({number(MAX_ALPHA)}, coefficient({block.slider(f'{names}smoothing_ms')}))"
    smooth = f"({signal} : smoother({alpha}, {smoother.iir_len}))"
    return f"max(0, {smooth})" if positive else smooth


def compressor_gain(block: Block) -> str:
    """The gain of a compressor, an expander, a gate or a limiter."""
    p = block.processor
    if isinstance(p, Limiter) and p.lookahead_ms:
        return _ahead(block)
    detector = peak_square if isinstance(p, Limiter) else mean_square
    energy = detector(block.inlets[-1])
    if p.energy_smoother is not None:
        energy = smoothed(block, energy, p.energy_smoother)
    energy = block.define("energy", energy)
    log_gain = static_log_gain(block, p, f"log(max(0, {energy}) + {number(p.floor)})")
    return f"exp({log_gain})" if p.gain_smoother is None else _smoothed_gain(block, log_gain)


def static_log_gain(block: Block, p: DynamicRangeProcessor, level: str, names: str = "") -> str:
    """ln of the gain of an amplitude for ln of an energy, by the controls whose names begin alike."""
    over = f"{level} - {block.slider(names + 'threshold_db')}*{PER_DB}"
    over = block.define(f"{names}over", f"0 - ({over})" if _mirrored(p) else over)
    if "log_range" in p.parameter_size():
        gain = f"{block.slider(names + 'range_db')}/{number(NEPER)}"
        return f"{gain}*{step(block, p, over, names)}"
    return f"{slope(block, p, names)}*{knee(block, p, over, names)}"


def _mirrored(p: DynamicRangeProcessor) -> bool:
    return p.mirrored or isinstance(p, ApproxNoiseGate)


def step(block: Block, p: DynamicRangeProcessor, over: str, names: str = "") -> str:
    """From 0 to 1 where a gate is closed."""
    if p.knee == "hard":
        return f"({over} >= 0)"
    return f"quadratic_step({_width(block, names)}, {over})"


def knee(block: Block, p: DynamicRangeProcessor, over: str, names: str = "") -> str:
    if p.knee == "hard":
        return f"max(0, {over})"
    if p.knee == "exponential":
        return f"exponential_knee(exp({block.slider(names + 'knee_db')})*{number(NEPER / 2)}, {over})"
    return f"{'guarded' if isinstance(p, ApproxNoiseGate) else 'quadratic'}_knee({_width(block, names)}, {over})"


def _width(block: Block, names: str) -> str:
    return f"({block.slider(names + 'knee_db')}*{number(2 / NEPER)} + 0.000001)"


def slope(block: Block, p: DynamicRangeProcessor, names: str = "") -> str:
    """Change of ln of an amplitude per change of ln of an energy, from the ratio that is heard."""
    ratio = block.slider(names + "ratio")
    if isinstance(p, ApproxNoiseGate):
        return f"(0.5 - {ratio}/2)"
    if p.ratio_map is HEARD_COMPRESSION:
        excess = block.define(f"{names}excess", f"({ratio} - 1)/({ratio} + 1) + 0.000001")
        return f"(0 - {excess}/(1 + {excess}))"
    if p.ratio_map is HEARD_EXPANSION:
        return f"(0 - ({ratio} - 1)/2 - 0.000001)"
    excess = block.define(f"{names}excess", f"{ratio} - 1 + 0.000001")
    if isinstance(p, Expander):
        return f"(0 - {excess}/2)"
    return f"(0 - {excess}/(1 + {excess})/2)"


def _smoothed_gain(block: Block, log_gain: str) -> str:
    p = block.processor
    target = block.define("target", log_gain if p.gain_smooth_in_log else f"exp({log_gain})")
    if not isinstance(p.gain_smoother, Ballistics):
        smooth = smoothed(block, target, p.gain_smoother, "gain_", positive=False)
    else:
        # A gain attacks when it falls. It starts from 1, to which the difference is smoothed.
        attack, release = (f"coefficient({block.slider(f'gain_{name}_ms')})" for name in ("attack", "release"))
        rest = "0" if p.gain_smooth_in_log else "1"
        smooth = f"{rest} + (({target} - {rest}) : ballistics({release}, {attack}))"
    return f"exp({smooth})" if p.gain_smooth_in_log else f"({smooth})"


def _ahead(block: Block) -> str:
    """The gain of a limiter that looks ahead, which is late by as much."""
    p, ahead = block.processor, block.processor.latency_samples
    block.scope.latency += ahead
    peaks, width = block.define("peak", peak_square(block.inlets[-1])), 1
    while width < ahead + 1:
        shift = min(width, ahead + 1 - width)
        peaks, width = block.define(f"peak{width}", f"max({peaks}, {peaks} @ {shift})"), width + shift
    release = f"coefficient({block.slider('release_ms')})"
    energy = block.define("energy", f"{peaks} : ballistics(0, {release})")
    level = block.define("level", f"log({energy} + {number(LOW_FLOOR)})")
    beyond = f"max(0, {level} - {block.slider('threshold_db')}*{PER_DB})"
    wall = block.define("wall", f"min({static_log_gain(block, p, level)}, (0 - {beyond})/2)")
    attack = block.define("attack", f"min({number(MAX_ALPHA)}, coefficient({block.slider('attack_ms')}))")
    return f"exp(({wall} : smoother({attack}, {ahead + 1}))/(1 - pow({attack}, {ahead + 1})))"


def transient_gain(block: Block) -> str:
    energy = block.define("energy", mean_square(block.inlets[-1]))
    fast, slow = (
        block.define(speed, smoothed(block, energy, block.processor.smoother, f"{speed}_"))
        for speed in ("fast", "slow")
    )
    lead = block.define("lead", f"({fast} - {slow})/({fast} + {slow} + {number(2 * LOW_FLOOR)})")
    attack, sustain = (f"{block.slider(f'{name}_db')}/{number(NEPER)}" for name in ("attack", "sustain"))
    return f"exp({attack}*max(0, {lead}) + {sustain}*max(0, 0 - {lead}))"


# Two factors.


def factorized_compressor_gain(block: Block) -> str:
    p = block.processor
    frame = _frame_gain(block)
    if p.transient is None:
        return frame
    key = block.define("key_energy", f"({mean_square(block.inlets[-1])})*{frame}*{frame}")
    energy = block.define("transient_energy", smoothed(block, key, p.transient.energy_smoother, TRANSIENT))
    level = f"log(max(0, {energy}) + {number(p.transient.floor)})"
    return f"{frame}*exp({static_log_gain(block, p.transient, level, TRANSIENT)})"


def factorized_gate_gain(block: Block) -> str:
    p = block.processor
    frame = _frame_gain(block)
    if p.transient is None:
        return frame
    energy = smoothed(block, mean_square(block.inlets[-1]), p.transient.energy_smoother, TRANSIENT)
    energy = block.define("transient_energy", energy)
    level = f"log(max(0, {energy}) + {number(p.transient.floor)})"
    threshold = f"{block.slider(TRANSIENT + 'threshold_db')}*{PER_DB}"
    over = block.define("transient_over", f"{threshold} - {level}")
    return f"pow({frame}, {step(block, p.transient, over, TRANSIENT)})"


def _frame_gain(block: Block) -> str:
    def gain_of(level: str) -> str:
        return f"exp({static_log_gain(block, block.processor.frame, level)})"

    return block.define("frame_gain", _between_frames(block, gain_of))


def _between_frames(block: Block, gain_of: Callable[[str], str]) -> str:
    """The gain of frames, which moves along lines between the last two that are over."""
    p, hop = block.processor, block.processor.hop
    place = block.define("place", f"ba.time % {hop}")
    starts = block.define("starts", f"{place} == 0")
    whole = block.define(
        "frame_sum", f"({mean_square(block.inlets[-1])}) : (\\(sum_, u).(u + sum_*(1 - {starts}))) ~ _"
    )
    energy = block.define("frame_energy", f"{whole}'/{hop}")
    smoother = p.frame.energy_smoother
    if isinstance(smoother, Ballistics):
        attack, release = (_per_frame(block, f"{name}_ms", hop) for name in ("attack", "release"))
        after = f"(a*y + (1 - a)*u with {{ a = select2(u >= y, {release}, {attack}); }})"
    else:
        alpha = f"min({number(MAX_ALPHA)}, {_per_frame(block, 'smoothing_ms', hop)})"
        taps = smoother.iir_len
        after = f"({alpha}*y + (1 - {alpha})*(u - pow({alpha}, {taps})*(u @ {taps * hop})))"
    smooth = block.define("frame_level", f"{energy} : (\\(y, u).(select2({starts}, y, {after}))) ~ _")
    gain = block.define("frame_target", gain_of(f"log(max(0, {smooth}) + {number(p.frame.floor)})"))
    before = block.define("frame_before", f"{gain} : (\\(held, g).(select2({starts}, held, g'))) ~ _")
    # Before the first frame that is over, gains are those of silence.
    silent = block.define("frame_silent", gain_of(f"log({number(p.frame.floor)})"))
    since = block.define("frame_past", f"select2(ba.time < {hop}, {before}, {silent})")
    return f"{since} + ({gain} - {since})*({place} + 1)/{hop}"


def _per_frame(block: Block, name: str, hop: int) -> str:
    return f"exp(0 - {1000 * hop}/({block.slider(name)}*ma.SR))"


# Bands.


def dynamic_equalizer(block: Block) -> list[Signal]:
    p, raw = block.processor, block.raw
    most = raw["log_range"] - 6.0 / NEPER
    _bounded(block, p._usual(), "q_inv" in raw)
    block.hear(
        log_gain=soft_bound_sum(soft_bound(raw["log_gain"], 10, 5), 15, 5),
        log_range=soft_bound_sum(soft_bound(most, 10, 5), 15, 5) + 6.0 / NEPER,
        log_ratio=soft_bound(raw["log_ratio"], 10, 5),
    )
    y, count = block.x, p.num_bands
    peaks = raw["q_inv"].shape[-1] if "q_inv" in raw else 0
    for k, direction in enumerate(p.directions):
        index = (k,) if count > 1 else ()
        frequency = block.slider("frequency_hz", *index)
        peak = k - 1 if p.use_shelving_filters else k
        if p.use_shelving_filters and k in (0, count - 1):
            band = f"{'lowpass1' if k == 0 else 'highpass1'}({frequency})"
        else:
            band = f"bandpass({frequency}, {block.slider('q', *((peak,) if peaks > 1 else ()))})"
        band = block.define(f"band{k}", band)
        energy = band_energy(block, f"key{k}_", [f"{channel} : {band}" for channel in block.inlets[-1]], frequency)
        follow = ballistics(block, *index)
        moving = ranged(block, f"moving{k}", f"{energy} : {follow}", index, DIRECTIONS[direction])
        change = block.define(f"change{k}", f"exp({moving} + {block.slider('gain_db', *index)}/{number(NEPER)}) - 1")
        y = block.defined(f"after{k}_", [f"{channel} + {change}*({channel} : {band})" for channel in y])
    return [y]


def _bounded(block: Block, usual: Sequence[float], has_quality: bool) -> None:
    """Take frequencies around usual ones, and qualities, within the bounds of the cookbook."""
    middles = torch.tensor([logit_of(hertz, block.scope.sample_rate) for hertz in usual], dtype=torch.float64)
    block.hear(w0=soft_bound(block.raw["w0"] + middles, 9, 2) - middles)
    if has_quality:
        block.hear(q_inv=soft_bound(block.raw["q_inv"], 8, 4))


def ballistics(block: Block, *index: int) -> str:
    times = (f"coefficient({block.slider(f'{name}_ms', *index)})" for name in ("attack", "release"))
    return f"ballistics({', '.join(times)})"


def band_energy(block: Block, name: str, band: Signal, frequency: str) -> str:
    """The energy of a band, without the ripple of a squared sine."""
    band = block.defined(name, band)
    turned = block.defined(f"{name}turned", [f"{channel} : allpass1({frequency})" for channel in band])
    return block.define(f"{name}energy", f"0.5*({mean_square(band)} + {mean_square(turned)})")


def ranged(block: Block, name: str, energy: str, index: tuple[int, ...], direction: float = 1.0) -> str:
    """ln of the gain of a ratio beyond a threshold, limited to a range."""
    energy = block.define(f"{name}_energy", energy)
    over = f"log({energy} + {number(LOW_FLOOR)}) - {block.slider('threshold_db', *index)}*{PER_DB}"
    over = block.define(f"{name}_over", over if direction > 0 else f"0 - ({over})")
    excess = block.define(f"{name}_excess", f"{block.slider('ratio', *index)} - 1 + 0.000001")
    own = block.define(f"{name}_slope", f"{excess}/(1 + {excess})/2")
    most = block.define(f"{name}_most", f"{block.slider('range_db', *index)}/{number(NEPER)}")
    ends = f"quadratic_knee({number(KNEE)}, {over} - abs({most})/{own})"
    return block.define(name, f"ma.signum({most})*{own}*(quadratic_knee({number(KNEE)}, {over}) - {ends})")


def de_esser(block: Block) -> list[Signal]:
    p = block.processor
    _bounded(block, [p._usual], False)
    block.hear(log_range=soft_bound(block.raw["log_range"], 7, 1))
    frequency = block.slider("frequency_hz")

    def bands(x: Signal, name: str) -> list[Signal]:
        if p.detector == "bandpass":
            return [block.defined(name, [f"{c} : bandpass({frequency}, {number(1 / WIDTH)})" for c in x])]
        return bands_of(block, x, [frequency], 4)

    own = bands(block.x, "own")
    heard = own if len(block.inlets) == 1 else bands(block.inlets[-1], "key")
    energy = band_energy(block, "heard", heard[-1], frequency)
    change = ranged(block, "change", f"{energy} : {ballistics(block)}", ())
    if p.mode == "wideband":
        return [[f"{channel}*exp({change})" for channel in block.x]]
    if p.detector == "highpass":
        return [[f"{low} + {high}*exp({change})" for low, high in zip(*own, strict=True)]]
    return [[f"{channel} + {band}*(exp({change}) - 1)" for channel, band in zip(block.x, own[0], strict=True)]]
