"""Envelopes, amplifiers and resonators in Faust."""

from ...processors.core.bounds import soft_bound
from ...processors.synth.modal import REFERENCE
from .draft import Draft, Signal, number, total


def amplifier(draft: Draft) -> list[Signal]:
    x, control = draft.inlets
    count = max(len(x), len(control))
    x, control = (each if len(each) == count else each * count for each in (x, control))
    return [[f"{draft.slider('gain')}*{c}*{channel}" for channel, c in zip(x, control, strict=True)]]


def adsr(draft: Draft) -> list[Signal]:
    p = draft.processor
    fall = "lines" if p.curve == "linear" else "falling"
    attack, decay, release = (f"samples({draft.slider(f'{name}_ms')})" for name in ("attack", "decay", "release"))
    shape = f"{fall}, {attack}, {decay}, {draft.slider('sustain')}, {release}"
    if not p.gated:
        return [[f"adsr({shape}, samples({draft.slider('hold_ms')}))"]]
    return [draft.through("envelope", f"gated({shape})")]


def exponential(draft: Draft) -> list[Signal]:
    amplitude, rate = draft.slider("amplitude"), f"{draft.slider('decay_rate')}/ma.SR"
    if not draft.processor.gated:
        return [[f"{amplitude}*exp(0 - {rate}*ba.time)"]]
    return [draft.through("envelope", f"struck({rate}) : *({amplitude})")]


def modes(draft: Draft) -> list[Signal]:
    count = draft.processor.num_modes
    draft.hear(log_decay=soft_bound(draft.raw["log_decay"], 10, 5))
    filters = []
    for k in range(count):
        index = (k,) if count > 1 else ()
        frequency, decay, gain, phase = (
            draft.slider(name, *index) for name in ("frequency_hz", "decay_ms", "gain_db", "phase_deg")
        )
        filters.append(f"mode({frequency}, {decay}, amplitude({gain})*{number(REFERENCE)}/ma.SR, {phase})")
    bank = [draft.define(f"mode{k}", each) for k, each in enumerate(filters)]
    return [[total([f"({channel} : {each})" for each in bank]) for channel in draft.x]]
