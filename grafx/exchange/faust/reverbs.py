"""Recursive reverbs in Faust."""

import math

import torch

from ...processors.core.bounds import soft_bound
from ...processors.reverb.fdn import LEVEL
from ...processors.reverb.freeverb import ALLPASSES, COMBS, FEEDBACK, INPUT_GAIN, MOST_DAMPING
from .draft import Draft, Signal, in_series, number, total
from .gains import mono_or_stereo, stereo


def freeverb(draft: Draft) -> list[Signal]:
    draft.check_rate(always=True)
    left, right = stereo(mono_or_stereo(draft))
    u = draft.define("u", f"({left} + {right})*{number(INPUT_GAIN)}")
    least, more = FEEDBACK
    loop = draft.define("loop", f"{number(least)} + {number(more)}*{draft.slider('room_size')}")
    pole = draft.define("pole", f"freeverb_pole({number(MOST_DAMPING)}*{draft.slider('damping')})")
    sides = []
    for side, delays in zip(("left", "right"), draft.processor.delays, strict=True):
        combs = total([f"({u} : comb({m}, {loop}, {pole}))" for m in delays[: len(COMBS)]])
        allpasses = in_series([f"freeverb_allpass({m})" for m in delays[-len(ALLPASSES) :]])
        sides.append(draft.define(side, f"({combs}) : {allpasses}"))
    left, right = sides
    width = draft.slider("width")
    mix = "(1 + {0})/2*{1} + (1 - {0})/2*{2}"
    return [[mix.format(width, left, right), mix.format(width, right, left)]]


def network(draft: Draft) -> list[Signal]:
    p = draft.processor
    draft.check_rate(always=True)
    draft.note("its filters and its matrix are fixed, as they are solved for decay, level and rotation")
    draft.hear(z_input=_within(draft, "z_input", p.inputs), z_output=_within(draft, "z_output", p.outputs))
    raw = {name: value[None] for name, value in draft.raw.items()}
    with torch.no_grad():
        given = [raw.get(name) for name in ("log_decay", "log_level", "z_input", "z_output", "skew", "normal")]
        sos, matrix, _, _, tone = (part[0] for part in p._parts(*given))
    scale = number(LEVEL / math.sqrt(p.num_lines))
    lines = range(p.num_lines)
    left, right = stereo(mono_or_stereo(draft))
    names = ", ".join(f"s{i}" for i in lines)
    rows = []
    for i in lines:
        heard = [f"{number(a)}*s{j}" for j, a in enumerate(matrix[i].tolist()) if a]
        heard += [f"{draft.slider('input_gain', i, side)}*{scale}*{u}" for side, u in enumerate("lr")]
        rows.append(total(heard))
    loops = [draft.define(f"line{i}", in_series([f"@({p.delays[i] - 1})", *_sections(sos[i].tolist())])) for i in lines]
    outs = [total([f"{draft.slider('output_gain', side, i)}*s{i}" for i in lines]) for side in range(2)]
    after = ", ".join(f"(mem : {line})" for line in loops)
    network = draft.define(
        "network",
        f"((\\({names}, l, r).({', '.join(rows)})) ~ ({', '.join(loops)})) : {after} : \\({names}).({', '.join(outs)})",
    )
    filters = draft.define("tone", in_series(_sections(tone[0].tolist())))
    both = draft.define("both", f"({left}, {right}) : {network} : {filters}, {filters}")
    return [[f"({both} : _, !)", f"({both} : !, _)"]]


def _within(draft: Draft, name: str, start: torch.Tensor) -> torch.Tensor:
    return soft_bound(draft.raw[name] + start, 10, 10) - start


def _sections(sections: list[list[float]]) -> list[str]:
    made = []
    for b0, b1, b2, a0, a1, a2 in sections:
        gain, *rest = (value / a0 for value in (b0, b1, b2, a1, a2))
        made.append(f"fi.tf2({', '.join(map(number, (gain, *rest)))})" if any(rest) else f"*({number(gain)})")
    return made
