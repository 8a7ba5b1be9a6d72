"""Envelopes, amplifiers and resonators in Faust."""

from ...processors.core.bounds import soft_bound
from ...processors.synth.modal import REFERENCE
from .block import Block, Signal, number, total


def amplifier(block: Block) -> list[Signal]:
    x, control = block.inlets
    count = max(len(x), len(control))
    x, control = (each if len(each) == count else each * count for each in (x, control))
    return [[f"{block.slider('gain')}*{c}*{channel}" for channel, c in zip(x, control, strict=True)]]


def adsr(block: Block) -> list[Signal]:
    p = block.processor
    fall = "lines" if p.curve == "linear" else "falling"
    attack, decay, release = (f"samples({block.slider(f'{name}_ms')})" for name in ("attack", "decay", "release"))
    shape = f"{fall}, {attack}, {decay}, {block.slider('sustain')}, {release}"
    if not p.gated:
        return [[f"adsr({shape}, samples({block.slider('hold_ms')}))"]]
    return [block.through("envelope", f"gated({shape})")]


def exponential(block: Block) -> list[Signal]:
    amplitude, rate = block.slider("amplitude"), f"{block.slider('decay_rate')}/ma.SR"
    if not block.processor.gated:
        return [[f"{amplitude}*exp(0 - {rate}*ba.time)"]]
    return [block.through("envelope", f"struck({rate}) : *({amplitude})")]


def modes(block: Block) -> list[Signal]:
    count = block.processor.num_modes
    block.hear(log_decay=soft_bound(block.raw["log_decay"], 10, 5))
    filters = []
    for k in range(count):
        index = (k,) if count > 1 else ()
        frequency, decay, gain, phase = (
            block.slider(name, *index) for name in ("frequency_hz", "decay_ms", "gain_db", "phase_deg")
        )
        filters.append(f"mode({frequency}, {decay}, amplitude({gain})*{number(REFERENCE)}/ma.SR, {phase})")
    bank = [block.define(f"mode{k}", each) for k, each in enumerate(filters)]
    return [[total([f"({channel} : {each})" for each in bank]) for channel in block.x]]
