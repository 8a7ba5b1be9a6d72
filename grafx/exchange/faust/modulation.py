"""Modulation effects in Faust."""

import math

import torch

from ...processors.core.maps import NEPER
from ...processors.modulation.phaser import HIGHEST
from ...processors.modulation.rotary import DIRECTIONS, ROTORS
from .draft import Draft, Signal, number, total
from .filters import bands_of
from .gains import DELAYS, mono_or_stereo, stereo
from .oscillators import carrier


def swings(draft: Draft, count: int, offset: str = "") -> Signal:
    """The LFO of each of some channels: its own, or what comes in at the second inlet."""
    p = draft.processor
    if p.external:
        lfo = draft.inlets[1]
        return lfo if len(lfo) == count else lfo * count
    rate = draft.slider("rate_hz")
    cycles = draft.define("cycles", f"phase({rate})")
    found = []
    for channel in range(count):
        turn = f"{cycles} + {draft.slider('phase_cycles')}{offset}"
        if p.spreads and channel:
            turn += f" + {channel}*{draft.slider('spread_cycles')}"
        found.append(draft.define(f"lfo{channel}", f"{p.waveform}_wave({turn}, {rate}/ma.SR)"))
    return found


def mixed(draft: Draft, wet: Signal) -> list[Signal]:
    mix = draft.slider("mix")
    return [[f"{dry} + {mix}*({each} - {dry})" for dry, each in zip(_channels(draft), wet, strict=True)]]


def _channels(draft: Draft) -> Signal:
    """The channels of the input, of which there are at least as many as those of an LFO that comes in."""
    count = max(len(draft.x), len(draft.inlets[-1]))
    return draft.x if len(draft.x) == count else draft.x * count


def chorus(draft: Draft) -> list[Signal]:
    p = draft.processor
    most, interpolation = p._line
    x = _channels(draft)
    voices: list[Signal] = []
    for voice in range(p.num_voices):
        offset = f" + {number(voice / p.num_voices)}" if voice else ""
        moved = [_time(draft, lfo, most) for lfo in swings(draft, len(x), offset)]
        times = draft.defined(f"time{voice}_", moved)
        voices.append([f"({c} : {DELAYS[interpolation]}({int(most)}, {t}))" for c, t in zip(x, times, strict=True)])
    level = number(p.num_voices**-0.5)
    wet = draft.defined("wet", [f"({total(list(each))})*{level}" for each in zip(*voices, strict=True)])
    return mixed(draft, wet)


def _time(draft: Draft, lfo: str, most: float, least: int = 0) -> str:
    """Delay in samples, moved by an LFO."""
    moved = f"samples({draft.slider('delay_ms')} + {draft.slider('depth_ms')}*{lfo})"
    return f"min({most!r}, max({least}, {moved}))"


def flanger(draft: Draft) -> list[Signal]:
    most, x = draft.processor.max_delay, _channels(draft)
    times = draft.defined("time", [_time(draft, lfo, most, 1) for lfo in swings(draft, len(x))])
    loop = f"feedback_delay({math.ceil(most)}, "
    feedback = draft.slider("feedback")
    wet = draft.defined("wet", [f"{c} : {loop}{t}, {feedback})" for c, t in zip(x, times, strict=True)])
    return mixed(draft, wet)


def vibrato(draft: Draft) -> list[Signal]:
    p = draft.processor
    most, interpolation = p._line
    if p.external:
        depth = f"samples({draft.slider('depth_ms')})"
    else:
        stretch = f"(pow(2, {draft.slider('depth_cents')}/1200) - 1)"
        depth = f"{stretch}/{number(p.slope)}*ma.SR/{draft.slider('rate_hz')}"
    depth, x = draft.define("depth", depth), _channels(draft)
    moved = [f"min({most!r}, max(0, {depth} + {depth}*{lfo}))" for lfo in swings(draft, len(x))]
    times = draft.defined("time", moved)
    return [[f"({c} : {DELAYS[interpolation]}({int(most)}, {t}))" for c, t in zip(x, times, strict=True)]]


def tremolo(draft: Draft) -> list[Signal]:
    half = draft.define("half", f"(1 - amplitude(0 - {draft.slider('depth_db')}))/2")
    x = _channels(draft)
    return [[f"{c}*(1 - {half} + {half}*{lfo})" for c, lfo in zip(x, swings(draft, len(x)), strict=True)]]


def auto_pan(draft: Draft) -> list[Signal]:
    (lfo,) = swings(draft, 1)
    left, right = stereo(mono_or_stereo(draft))
    turn = draft.define("turn", f"ma.PI/4*(1 + {draft.slider('depth')}*{lfo})")
    return [[f"sqrt(2)*cos({turn})*{left}", f"sqrt(2)*sin({turn})*{right}"]]


def phaser(draft: Draft) -> list[Signal]:
    p, x = draft.processor, _channels(draft)
    middle, octaves = draft.slider("frequency_hz"), draft.slider("depth_octaves")
    stages = range(p.num_stages)
    states = [f"s{k}" for k in stages]
    rest = "0"
    for state in states:
        rest = f"c*({rest}) + d*{state}"
    lines = ["d = sqrt((1 - c)*(1 + c));", f"e0 = (x + g*({rest}))/(1 - g*pow(c, {p.num_stages}));"]
    lines += [f"e{k + 1} = c*e{k} + d*s{k};" for k in stages]
    after = ", ".join(f"d*e{k} - c*s{k}" for k in stages)
    loop = f"\\({', '.join(states)}, x).({after}, e{p.num_stages} with {{ {' '.join(lines)} }})"
    whole = f"(({loop}) ~ si.bus({p.num_stages})) : {', '.join('!' * p.num_stages)}, _"
    chain = draft.define("chain", f"\\(c, g).({whole})")
    wet = []
    for channel, lfo in zip(x, swings(draft, len(x)), strict=True):
        pitch = f"log({middle})/log(2) + {octaves}*{lfo}"
        bounds = f"log({number(p.lowest)})/log(2)", f"log({number(HIGHEST)}*ma.SR)/log(2)"
        corner = f"pow(2, min({bounds[1]}, max({bounds[0]}, {pitch})))"
        wet.append(f"{channel} : {chain}(tan(ma.PI*{corner}/ma.SR - ma.PI/4), {draft.slider('feedback')})")
    return mixed(draft, draft.defined("wet", wet))


def ring(draft: Draft) -> list[Signal]:
    x, mix = _channels(draft), draft.slider("mix")
    if draft.processor.external:
        tone = draft.inlets[1]
        tone = tone if len(tone) == len(x) else tone * len(x)
    else:
        tone = [draft.define("tone", carrier(draft))] * len(x)
    return [[f"{channel}*(1 - {mix} + {mix}*{each})" for channel, each in zip(x, tone, strict=True)]]


def rotary(draft: Draft) -> list[Signal]:
    p = draft.processor
    most, interpolation = p._line
    mono = draft.define("mono", f"({total(draft.x)})/{len(draft.x)}")
    added = f" + {draft.inlets[1][0]}" if p.external else ""
    heard_at = p.crossover._frequencies(draft.raw["log_freq"][None])[0]
    draft.hear(log_freq=torch.log(heard_at / p.crossover._fraction(0.5)))
    bands = bands_of(draft, [mono], [draft.slider("crossover_hz")], 4)
    heard: list[list[str]] = [[], []]
    for rotor, direction, (band,) in zip(ROTORS, DIRECTIONS, bands, strict=True):
        turn = f"{number(direction)}*phase({draft.slider(f'{rotor}_rate_hz')}{added})"
        turn = draft.define(f"{rotor}_turn", f"{turn} + {draft.slider(f'{rotor}_phase_cycles')}")
        depth = draft.define(f"{rotor}_depth", f"(exp(0 - {draft.slider(f'{rotor}_depth_db')}/{number(NEPER)}) - 1)/2")
        for microphone, side in enumerate(("(0-0.5)", "0.5")):
            facing = f"sine_wave({turn} - {side}*{draft.slider('mic_angle_deg')}/360 - 0.75, 0)"
            away = draft.define(f"{rotor}_away{microphone}", f"1 - {facing}")
            time = f"min({most!r}, max(0, samples({draft.slider(f'{rotor}_swing_ms')}*{away})))"
            late = f"({band} : {DELAYS[interpolation]}({int(most)}, {time}))"
            heard[microphone].append(f"(1 + {depth}*{away})*{late}")
    return [[total(each) for each in heard]]
