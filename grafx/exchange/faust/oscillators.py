"""Oscillators and modulators in Faust."""

from itertools import pairwise

from ...processors.core.wavetable import harmonic_counts
from ...processors.synth.oscillator import NUM_HARMONICS, SERIES
from .draft import Draft, Signal

WAVES = {
    "SineOscillator": "sine",
    "SawOscillator": "saw",
    "SquareOscillator": "square",
    "TriangleOscillator": "triangle",
}


def lfo(draft: Draft) -> list[Signal]:
    rate = draft.slider("rate_hz")
    phase = f"phase({rate}) + {draft.slider('phase_cycles')}"
    wave = f"{draft.processor.waveform}_wave({phase}, {rate}/ma.SR)"
    return [[f"{draft.slider('offset')} + {draft.slider('depth')}*{wave}"]]


def oscillator(draft: Draft) -> list[Signal]:
    inlets = dict(zip(draft.processor.inlets, draft.inlets, strict=True))
    count = max(map(len, draft.inlets), default=1)
    inlets = {name: signal if len(signal) == count else signal * count for name, signal in inlets.items()}
    found = []
    for channel in range(count):
        added = {name: f" + {signal[channel]}" for name, signal in inlets.items()}
        frequency = f"({draft.slider('frequency_hz')}{added.get('frequency', '')})"
        offset = added.get("phase", "")
        phase = draft.define(f"phase{channel}", f"phase{frequency} + {draft.slider('phase_cycles')}{offset}")
        step = f"{frequency}/ma.SR"
        if offset:
            step += f" + select2(ba.time > 0, 0, {inlets['phase'][channel]} - {inlets['phase'][channel]}')"
        wave = waveform(draft, phase, draft.define(f"step{channel}", step), added.get("position", ""))
        found.append(f"({draft.slider('amplitude')}{added.get('amplitude', '')})*{wave}")
    return [found]


def waveform(draft: Draft, phase: str, step: str, position: str = "") -> str:
    """The waveform of an oscillator."""
    kind = type(draft.processor).__name__
    if kind in WAVES:
        return wave(draft, WAVES[kind], phase, step)
    last = len(SERIES) - 1
    place = draft.define("place", f"min({last}, max(0, ({draft.slider('position')}{position})*{last}))")
    shares = ", ".join(f"max(0, 1 - abs({place} - {k}))" for k in range(len(SERIES)))
    return summed(draft, f"between({shares})", phase, step)


def wave(draft: Draft, name: str, phase: str, step: str) -> str:
    """A basic waveform, with the harmonics below half the sample rate."""
    return f"sin(2*ma.PI*{phase})" if name == "sine" else summed(draft, f"{name}_weight", phase, step)


def summed(draft: Draft, weights: str, phase: str, step: str) -> str:
    """The sum of harmonics of some weights, from the highest group down, by Clenshaw's recurrence."""
    groups = [
        f"harmonics({weights}, {phase}, {step}, {most}, {least})"
        for least, most in pairwise(harmonic_counts(NUM_HARMONICS))
    ]
    return draft.define("wave", f"(0, 0) : {' : '.join(reversed(groups))} : *(sin(2*ma.PI*{phase})), !")


def wavetable(draft: Draft) -> list[Signal]:
    if draft.processor._options.get("tables") is not None:
        draft.refuse("its tables are its own", "Use the waveforms that it has without any, or render it as a stem.")
    return oscillator(draft)


def carrier(draft: Draft) -> str:
    """The tone of a ring modulator, of amplitude 1."""
    frequency = draft.slider("frequency_hz")
    phase = draft.define("carrier_phase", f"phase({frequency}) + {draft.slider('phase_cycles')}")
    if draft.processor.waveform == "sine":
        return f"sin(2*ma.PI*{phase})"
    return wave(draft, draft.processor.waveform, phase, draft.define("carrier_step", f"{frequency}/ma.SR"))
