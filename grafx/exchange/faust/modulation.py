"""Modulation effects in Faust."""

import math

import torch

from ...processors.core.maps import NEPER
from ...processors.modulation.phaser import HIGHEST
from ...processors.modulation.rotary import DIRECTIONS, ROTORS
from .block import Block, Signal, number, total
from .filters import bands_of
from .gains import DELAYS, mono_or_stereo, stereo
from .oscillators import carrier


def swings(block: Block, count: int, offset: str = "") -> Signal:
    """The LFO of each of some channels: its own, or what comes in at the second inlet."""
    p = block.processor
    if p.external:
        lfo = block.inlets[1]
        return lfo if len(lfo) == count else lfo * count
    rate = block.slider("rate_hz")
    cycles = block.define("cycles", f"phase({rate})")
    found = []
    for channel in range(count):
        turn = f"{cycles} + {block.slider('phase_cycles')}{offset}"
        if p.spreads and channel:
            turn += f" + {channel}*{block.slider('spread_cycles')}"
        found.append(block.define(f"lfo{channel}", f"{p.waveform}_wave({turn}, {rate}/ma.SR)"))
    return found


def mixed(block: Block, wet: Signal) -> list[Signal]:
    mix = block.slider("mix")
    return [[f"{dry} + {mix}*({each} - {dry})" for dry, each in zip(_channels(block), wet, strict=True)]]


def _channels(block: Block) -> Signal:
    """The channels of the input, of which there are at least as many as those of an LFO that comes in."""
    count = max(len(block.x), len(block.inlets[-1]))
    return block.x if len(block.x) == count else block.x * count


def chorus(block: Block) -> list[Signal]:
    p = block.processor
    most, interpolation = p._line
    x = _channels(block)
    voices: list[Signal] = []
    for voice in range(p.num_voices):
        offset = f" + {number(voice / p.num_voices)}" if voice else ""
        moved = [_time(block, lfo, most) for lfo in swings(block, len(x), offset)]
        times = block.defined(f"time{voice}_", moved)
        voices.append([f"({c} : {DELAYS[interpolation]}({int(most)}, {t}))" for c, t in zip(x, times, strict=True)])
    level = number(p.num_voices**-0.5)
    wet = block.defined("wet", [f"({total(list(each))})*{level}" for each in zip(*voices, strict=True)])
    return mixed(block, wet)


def _time(block: Block, lfo: str, most: float, least: int = 0) -> str:
    """Delay in samples, moved by an LFO."""
    moved = f"samples({block.slider('delay_ms')} + {block.slider('depth_ms')}*{lfo})"
    return f"min({most!r}, max({least}, {moved}))"


def flanger(block: Block) -> list[Signal]:
    most, x = block.processor.max_delay, _channels(block)
    times = block.defined("time", [_time(block, lfo, most, 1) for lfo in swings(block, len(x))])
    loop = f"feedback_delay({math.ceil(most)}, "
    feedback = block.slider("feedback")
    wet = block.defined("wet", [f"{c} : {loop}{t}, {feedback})" for c, t in zip(x, times, strict=True)])
    return mixed(block, wet)


def vibrato(block: Block) -> list[Signal]:
    p = block.processor
    most, interpolation = p._line
    if p.external:
        depth = f"samples({block.slider('depth_ms')})"
    else:
        stretch = f"(pow(2, {block.slider('depth_cents')}/1200) - 1)"
        depth = f"{stretch}/{number(p.slope)}*ma.SR/{block.slider('rate_hz')}"
    depth, x = block.define("depth", depth), _channels(block)
    moved = [f"min({most!r}, max(0, {depth} + {depth}*{lfo}))" for lfo in swings(block, len(x))]
    times = block.defined("time", moved)
    return [[f"({c} : {DELAYS[interpolation]}({int(most)}, {t}))" for c, t in zip(x, times, strict=True)]]


def tremolo(block: Block) -> list[Signal]:
    half = block.define("half", f"(1 - amplitude(0 - {block.slider('depth_db')}))/2")
    x = _channels(block)
    return [[f"{c}*(1 - {half} + {half}*{lfo})" for c, lfo in zip(x, swings(block, len(x)), strict=True)]]


def auto_pan(block: Block) -> list[Signal]:
    (lfo,) = swings(block, 1)
    left, right = stereo(mono_or_stereo(block))
    turn = block.define("turn", f"ma.PI/4*(1 + {block.slider('depth')}*{lfo})")
    return [[f"sqrt(2)*cos({turn})*{left}", f"sqrt(2)*sin({turn})*{right}"]]


def phaser(block: Block) -> list[Signal]:
    p, x = block.processor, _channels(block)
    middle, octaves = block.slider("frequency_hz"), block.slider("depth_octaves")
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
    chain = block.define("chain", f"\\(c, g).({whole})")
    wet = []
    for channel, lfo in zip(x, swings(block, len(x)), strict=True):
        pitch = f"log({middle})/log(2) + {octaves}*{lfo}"
        bounds = f"log({number(p.lowest)})/log(2)", f"log({number(HIGHEST)}*ma.SR)/log(2)"
        corner = f"pow(2, min({bounds[1]}, max({bounds[0]}, {pitch})))"
        wet.append(f"{channel} : {chain}(tan(ma.PI*{corner}/ma.SR - ma.PI/4), {block.slider('feedback')})")
    return mixed(block, block.defined("wet", wet))


def ring(block: Block) -> list[Signal]:
    x, mix = _channels(block), block.slider("mix")
    if block.processor.external:
        tone = block.inlets[1]
        tone = tone if len(tone) == len(x) else tone * len(x)
    else:
        tone = [block.define("tone", carrier(block))] * len(x)
    return [[f"{channel}*(1 - {mix} + {mix}*{each})" for channel, each in zip(x, tone, strict=True)]]


def rotary(block: Block) -> list[Signal]:
    p = block.processor
    most, interpolation = p._line
    mono = block.define("mono", f"({total(block.x)})/{len(block.x)}")
    added = f" + {block.inlets[1][0]}" if p.external else ""
    heard_at = p.crossover._frequencies(block.raw["log_freq"][None])[0]
    block.hear(log_freq=torch.log(heard_at / p.crossover._fraction(0.5)))
    bands = bands_of(block, [mono], [block.slider("crossover_hz")], 4)
    heard: list[list[str]] = [[], []]
    for rotor, direction, (band,) in zip(ROTORS, DIRECTIONS, bands, strict=True):
        turn = f"{number(direction)}*phase({block.slider(f'{rotor}_rate_hz')}{added})"
        turn = block.define(f"{rotor}_turn", f"{turn} + {block.slider(f'{rotor}_phase_cycles')}")
        depth = block.define(f"{rotor}_depth", f"(exp(0 - {block.slider(f'{rotor}_depth_db')}/{number(NEPER)}) - 1)/2")
        for microphone, side in enumerate(("(0-0.5)", "0.5")):
            facing = f"sine_wave({turn} - {side}*{block.slider('mic_angle_deg')}/360 - 0.75, 0)"
            away = block.define(f"{rotor}_away{microphone}", f"1 - {facing}")
            time = f"min({most!r}, max(0, samples({block.slider(f'{rotor}_swing_ms')}*{away})))"
            late = f"({band} : {DELAYS[interpolation]}({int(most)}, {time}))"
            heard[microphone].append(f"(1 + {depth}*{away})*{late}")
    return [[total(each) for each in heard]]
