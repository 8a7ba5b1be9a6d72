"""Oscillators and modulators in Faust."""

from itertools import pairwise

from ...processors.core.wavetable import harmonic_counts
from ...processors.synth.oscillator import NUM_HARMONICS, SERIES
from .block import Block, Signal

WAVES = {
    "SineOscillator": "sine",
    "SawOscillator": "saw",
    "SquareOscillator": "square",
    "TriangleOscillator": "triangle",
}


def lfo(block: Block) -> list[Signal]:
    rate = block.slider("rate_hz")
    phase = f"phase({rate}) + {block.slider('phase_cycles')}"
    wave = f"{block.processor.waveform}_wave({phase}, {rate}/ma.SR)"
    return [[f"{block.slider('offset')} + {block.slider('depth')}*{wave}"]]


def oscillator(block: Block) -> list[Signal]:
    inlets = dict(zip(block.processor.inlets, block.inlets, strict=True))
    count = max(map(len, block.inlets), default=1)
    inlets = {name: signal if len(signal) == count else signal * count for name, signal in inlets.items()}
    found = []
    for channel in range(count):
        added = {name: f" + {signal[channel]}" for name, signal in inlets.items()}
        frequency = f"({block.slider('frequency_hz')}{added.get('frequency', '')})"
        offset = added.get("phase", "")
        phase = block.define(f"phase{channel}", f"phase{frequency} + {block.slider('phase_cycles')}{offset}")
        step = f"{frequency}/ma.SR"
        if offset:
            step += f" + select2(ba.time > 0, 0, {inlets['phase'][channel]} - {inlets['phase'][channel]}')"
        wave = waveform(block, phase, block.define(f"step{channel}", step), added.get("position", ""))
        found.append(f"({block.slider('amplitude')}{added.get('amplitude', '')})*{wave}")
    return [found]


def waveform(block: Block, phase: str, step: str, position: str = "") -> str:
    """The waveform of an oscillator."""
    kind = type(block.processor).__name__
    if kind in WAVES:
        return wave(block, WAVES[kind], phase, step)
    last = len(SERIES) - 1
    place = block.define("place", f"min({last}, max(0, ({block.slider('position')}{position})*{last}))")
    shares = ", ".join(f"max(0, 1 - abs({place} - {k}))" for k in range(len(SERIES)))
    return summed(block, f"between({shares})", phase, step)


def wave(block: Block, name: str, phase: str, step: str) -> str:
    """A basic waveform, with the harmonics below half the sample rate."""
    return f"sin(2*ma.PI*{phase})" if name == "sine" else summed(block, f"{name}_weight", phase, step)


def summed(block: Block, weights: str, phase: str, step: str) -> str:
    """The sum of harmonics of some weights, from the highest group down, by Clenshaw's recurrence."""
    groups = [
        f"harmonics({weights}, {phase}, {step}, {most}, {least})"
        for least, most in pairwise(harmonic_counts(NUM_HARMONICS))
    ]
    return block.define("wave", f"(0, 0) : {' : '.join(reversed(groups))} : *(sin(2*ma.PI*{phase})), !")


def wavetable(block: Block) -> list[Signal]:
    if block.processor._options.get("tables") is not None:
        block.refuse("its tables are its own", "Use the waveforms that it has without any, or render it as a stem.")
    return oscillator(block)


def carrier(block: Block) -> str:
    """The tone of a ring modulator, of amplitude 1."""
    frequency = block.slider("frequency_hz")
    phase = block.define("carrier_phase", f"phase({frequency}) + {block.slider('phase_cycles')}")
    if block.processor.waveform == "sine":
        return f"sin(2*ma.PI*{phase})"
    return wave(block, block.processor.waveform, phase, block.define("carrier_step", f"{frequency}/ma.SR"))
