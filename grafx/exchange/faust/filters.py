"""Recursive filters in Faust."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...processors.core.bounds import soft_bound, soft_bound_sum
from ...processors.filter.ladder import MODES, MOST, NUMERATORS
from ...processors.filter.stacked_svf import feedback_limit
from .draft import Draft, Signal, in_series, number, total

MOST_TAPS = 4096  # of a finite response
PIECE = 64  # of them


# Filters of the cookbook.


def bounded(draft: Draft) -> None:
    """Take raw parameters of cookbook filters within the bounds of these."""
    raw = draft.raw
    within = {"w0": soft_bound(raw["w0"], 9, 2), "q_inv": soft_bound(raw["q_inv"], 8, 4)}
    if "log_gain" in raw:
        within["log_gain"] = soft_bound_sum(soft_bound(raw["log_gain"], 5, 5), 15, 5)
    draft.hear(**within)


def recursive(draft: Draft) -> None:
    """Refuse a filter whose response is sampled, and so not that of a recursion."""
    if draft.processor.iir.backend == "fsm":
        draft.refuse("its backend 'fsm' samples the response", "Make it with backend='lfilter', the exact recursion.")


def cookbook(kind: str) -> Callable[[Draft], list[Signal]]:
    """A writer of filters in series without a gain."""

    def write(draft: Draft) -> list[Signal]:
        recursive(draft)
        bounded(draft)
        return [draft.through(kind, in_series([_section(draft, kind, k) for k in range(draft.processor.num_filters)]))]

    return write


def with_gain(kind: str) -> Callable[[Draft], list[Signal]]:
    """A writer of filters in series with a gain."""

    def write(draft: Draft) -> list[Signal]:
        recursive(draft)
        bounded(draft)
        count = range(draft.processor.num_filters)
        return [draft.through(kind, in_series([_section(draft, kind, k, gain=True) for k in count]))]

    return write


def _section(draft: Draft, kind: str, *index: int, gain: bool = False) -> str:
    index = index if draft.values["q"].ndim else ()
    names = ("frequency_hz", "q", "gain_db") if gain else ("frequency_hz", "q")
    return f"{kind}({', '.join(draft.slider(name, *index) for name in names)})"


def parametric(draft: Draft) -> list[Signal]:
    recursive(draft)
    bounded(draft)
    channels, count = draft.processor._size
    kinds = ["peaking"] * count
    if draft.processor.use_shelving_filters:
        kinds[0], kinds[-1] = "lowshelf", "highshelf"

    def filter_of(channel: int) -> str:
        at = [(*([channel] if channels > 1 else []), *([k] if count > 1 else [])) for k in range(count)]
        return in_series([_section(draft, kind, *index, gain=True) for kind, index in zip(kinds, at, strict=True)])

    return [by_channel(draft, filter_of)]


def graphic(draft: Draft) -> list[Signal]:
    recursive(draft)
    draft.check_rate(always=True)
    channels, bands = draft.processor.num_channels, draft.processor.bands
    draft.hear(log_gains=soft_bound_sum(soft_bound(draft.raw["log_gains"], 10, 5), 90, 10))
    turn = draft.scope.sample_rate / (2 * math.pi)
    centres, widths = ((each.double() * turn).tolist() for each in (bands.centres, bands.widths))

    def filter_of(channel: int) -> str:
        at = [(channel, k) if channels > 1 else (k,) for k in range(len(bands))]
        gains = [draft.slider("gain_db", *index) for index in at]
        bank = zip(map(number, centres), map(number, widths), gains, strict=True)
        return in_series([f"graphic({', '.join(peak)})" for peak in bank])

    return [by_channel(draft, filter_of)]


def by_channel(draft: Draft, filter_of: Callable[[int], str]) -> Signal:
    """Send channels through filters as the processor's ``processor_channel`` says."""
    mode, x = draft.processor.processor_channel, draft.x
    if mode == "mono":
        return draft.through("all", filter_of(0))
    if mode == "stereo":
        if len(x) > 2:
            draft.refuse(f"it has filters for left and right, but gets {len(x)} channels", "Give it stereo.")
        x = x if len(x) == 2 else x * 2
        return draft.defined("side", [f"{channel} : {filter_of(side)}" for side, channel in enumerate(x)])
    if len(x) != 2:
        draft.refuse(f"it needs a stereo signal, not {len(x)} channel(s)", "Put a MonoToStereo before it.")
    left, right = x
    middle = draft.define("middle", f"({left} + {right})/2 : {filter_of(0)}")
    side = draft.define("side", f"({left} - {right})/2 : {filter_of(1)}")
    return [f"{middle} + {side}", f"{middle} - {side}"]


# Filters of other kinds.


def butterworth(draft: Draft) -> list[Signal]:
    recursive(draft)
    kind, order = draft.processor.kind, draft.processor.order
    if kind == "band":
        return [draft.through("band", _butterworth_band(draft, order))]
    draft.hear(w0=soft_bound(draft.raw["w0"], 9, 2))
    return [draft.through(kind, butterworth_sections(kind, draft.slider("frequency_hz"), order))]


def inverse_qualities(order: int) -> list[float]:
    """1/Q of the second-order sections of a Butterworth filter."""
    return [2 * math.cos(math.pi * (order - 1 - 2 * k) / (2 * order)) for k in range(order // 2)]


def butterworth_sections(kind: str, frequency: str, order: int) -> str:
    """Sections in series of a low-, a high- or an all-pass."""
    name = {"low": "lowpass", "high": "highpass", "all": "allpass"}[kind]
    sections = [f"{name}({frequency}, {number(1 / q_inv)})" for q_inv in inverse_qualities(order)]
    return in_series(sections + [f"{name}1({frequency})"] * (order % 2))


def _butterworth_band(draft: Draft, order: int) -> str:
    draft.hear(w_low=soft_bound(draft.raw["w_low"] - 1, 9, 2) + 1, w_high=soft_bound(draft.raw["w_high"] + 1, 9, 2) - 1)
    low, high = draft.slider("low_hz"), draft.slider("high_hz")
    edges = [draft.define(f"edge_{side}", f"band_edge({low}, {high}, {side})") for side in ("(0-1)", "1")]
    pairs = [
        f"band_pair({edges[0]}, {edges[1]}, {number(q_inv)}, {side})"
        for q_inv in inverse_qualities(order)
        for side in ("1", "(0-1)")
    ]
    return in_series(pairs + [f"band_single({edges[0]}, {edges[1]})"] * (order % 2))


def dc_blocker(draft: Draft) -> list[Signal]:
    return [draft.through("draft", f"dc_blocker({draft.slider('cutoff_hz')})")]


def ladder(draft: Draft) -> list[Signal]:
    draft.hear(w0=soft_bound(draft.raw["w0"], 9, 2))
    mode, frequency = draft.processor.mode, draft.slider("frequency_hz")
    g = draft.define("g", f"tan(angle({frequency})/2)")
    resonance = draft.slider("resonance")
    if not draft.processor.saturate:
        r = draft.define("r", f"sqrt(sqrt(min({number(MOST)}, max(0, {resonance})) + 0.00000001))")
        sections = [
            f"bilinear({', '.join(map(number, top))}, 1, 2*(1 + {side}*{r}), (1 + {side}*{r})*(1 + {side}*{r}) + "
            f"{r}*{r}, {g})"
            for top, side in zip(NUMERATORS[mode], ("1", "(0-1)"), strict=True)
        ]
        return [draft.through("ladder", in_series(sections))]
    drive = draft.define("drive", f"amplitude({draft.slider('drive_db')})")
    mix = ", ".join(map(number, MODES[mode]))
    filter_ = f"*({drive}) : saturating_ladder({g}/(1 + {g}), 4*max(0, {resonance}), {mix}) : /({drive})"
    return [draft.through("ladder", filter_)]


def stacked(draft: Draft) -> list[Signal]:
    draft.hear(w0=soft_bound(draft.raw["w0"], 9, 2), log_damping=soft_bound(draft.raw["log_damping"], 3, 1))
    count = draft.processor.num_filters
    g = draft.define("g", f"tan(angle({draft.slider('frequency_hz')})/2)")
    if count == 2:
        damping = [draft.slider("damping", k) for k in range(count)]
        limit = f"4*{damping[0]}*{damping[1]}"
    else:
        damping = [number(draft.value("damping", k)) for k in range(count)]
        limit = number(float(feedback_limit(draft.values["damping"].double())))
        draft.note("its damping is fixed, as the limit of the feedback is found by a search")
    feedback = draft.define("feedback", f"max(0, {draft.slider('resonance')})*{limit}")
    return [draft.defined("stack", [f"{channel} : {_stack(g, damping, feedback)}" for channel in draft.x])]


def _stack(g: str, damping: Sequence[str], feedback: str) -> str:
    """State-variable filters in a loop without delay, solved at each sample from their states."""
    states = [f"{kind}{k}" for k in range(len(damping)) for kind in ("b", "l")]
    # Each low-pass is a gain times its input, and a rest of its states alone.
    lines, gains, rests = [], [], []
    for k, r in enumerate(damping):
        lines.append(f"d{k} = 1/(1 + 2*{r}*{g} + {g}*{g});")
        gains.append(f"{g}*{g}*d{k}")
        lines.append(f"rest{k} = {g}*d{k}*b{k} + (1 + 2*{r}*{g})*d{k}*l{k};")
        rests.append(f"rest{k}")
    silent = rests[0]
    for k in range(1, len(damping)):
        silent = f"({silent})*{gains[k]} + {rests[k]}"
    lines.append(f"whole = {'*'.join(gains)};")
    lines.append(f"silent = {silent};")
    lines.append(f"y = (whole*u + silent)/(1 + whole*{feedback});")
    lines.append(f"in0 = u - {feedback}*y;")
    after = []
    for k in range(len(damping)):
        lines.append(f"band{k} = ({g}*(in{k} - l{k}) + b{k})*d{k};")
        lines.append(f"low{k} = l{k} + {g}*band{k};")
        lines.append(f"in{k + 1} = low{k};")
        after += [f"2*band{k} - b{k}", f"2*low{k} - l{k}"]
    body = f"\\({', '.join(states)}, u).({', '.join(after)}, y with {{ {' '.join(lines)} }})"
    return f"({body}) ~ si.bus({len(states)}) : {', '.join(['!'] * len(states))}, _"


def tone_stack(draft: Draft) -> list[Signal]:
    components = ", ".join(number(value) for value in draft.processor.components)
    knobs = ", ".join(draft.slider(name) for name in ("bass", "mid", "treble"))
    draft.check_rate(always=True)
    return [draft.through("tone", f"tone_stack({components}, {knobs})")]


def crossover(draft: Draft) -> list[Signal]:
    count = draft.processor.num_bands - 1
    frequencies = [draft.slider(f"crossover{i}_freq") for i in range(count)]
    return bands_of(draft, draft.x, frequencies, draft.processor.order)


def bands_of(draft: Draft, x: Signal, frequencies: Sequence[str], order: int) -> list[Signal]:
    """The bands of a Linkwitz-Riley crossover, from the lowest to the highest."""
    half = order // 2
    sign = " : *(0-1)" if half % 2 else ""
    sides = {}
    for i, frequency in enumerate(frequencies):
        low, high = (butterworth_sections(kind, frequency, half) for kind in ("low", "high"))
        sides[i, "low"] = draft.define(f"lower{i}", f"{low} : {low}")
        sides[i, "high"] = draft.define(f"upper{i}", f"{high} : {high}{sign}")
        sides[i, "all"] = draft.define(f"both{i}", butterworth_sections("all", frequency, half))
    bands = []
    for band in range(len(frequencies) + 1):
        kinds = ["low" if i == band else "high" if i < band else "all" for i in range(len(frequencies))]
        path = in_series([sides[i, kind] for i, kind in enumerate(kinds)])
        bands.append(draft.defined(f"band{band}_", [f"{channel} : {path}" for channel in x]))
    return bands


# Allpass filters.


def lattice(draft: Draft) -> list[Signal]:
    draft.hear(z_reflection=soft_bound(draft.raw["z_reflection"], 4, 2))
    order = draft.processor.order
    index = [(n,) if order > 1 else () for n in range(order)]
    k = [draft.slider("reflection", *i) for i in index]
    states = [f"s{n}" for n in range(order)]
    # From the last stage, which the signal enters, down to the first, and back up.
    lines = [f"f{order} = u;"]
    for n in range(order - 1, -1, -1):
        lines.append(f"c{n} = sqrt(1 - {k[n]}*{k[n]});")
        lines.append(f"f{n} = c{n}*f{n + 1} - {k[n]}*s{n};")
        lines.append(f"b{n + 1} = {k[n]}*f{n + 1} + c{n}*s{n};")
    forward = ["f0", *(f"b{n}" for n in range(1, order))]
    body = f"\\({', '.join(states)}, u).({', '.join(forward)}, b{order} with {{ {' '.join(lines)} }})"
    own = draft.define("lattice", f"({body}) ~ si.bus({order}) : {', '.join(['!'] * order)}, _")
    return [draft.defined("y", [f"{channel} : {own}" for channel in draft.x])]


def schroeder(draft: Draft) -> list[Signal]:
    p = draft.processor
    stages = []
    for k in range(p.num_stages):
        index = (k,) if p.num_stages > 1 else ()
        if p.fixed:
            time = number(p.fixed[k])
        else:
            longest = number(p.longest)
            time = draft.define(f"time{k}", f"min({longest}, max(1.5, samples({draft.slider('delay_ms', *index)})))")
        if p.frequency_dependent:
            low, high, hertz = (draft.slider(n, *index) for n in ("gain_low", "gain_high", "crossover_hz"))
            stages.append(f"damped_schroeder({p.longest}, {time}, {low}, {high}, {hertz})")
        else:
            stages.append(f"schroeder({p.longest}, {time}, {draft.slider('gain', *index)})")
    return [draft.through("echoes", in_series(stages))]


# Learned filters.


def biquads(draft: Draft) -> list[Signal]:
    recursive(draft)
    raw, p = draft.raw, draft.processor
    b = soft_bound(raw["Bs"], 1e3, 1e3)
    draft.hear(Bs=b, A1_pre=soft_bound(raw["A1_pre"], 5, 2.5), A2_pre=soft_bound(raw["A2_pre"], 5, 2.5))
    sections = []
    for k in range(p.num_filters):
        index = (k,) if p.num_filters > 1 else ()
        names = ("b0", "b1", "b2", "a1", "a2_position")
        numbers = ", ".join(draft.slider(name, *index) for name in names)
        gain = f" : normalized({draft.slider('a0', *index)})" if p.normalized else ""
        sections.append(f"free_biquad({numbers}){gain}")
    return [draft.through("biquads", in_series(sections))]


def pole_zero(draft: Draft) -> list[Signal]:
    recursive(draft)
    count = draft.processor.num_filters
    radius = draft.raw["poles"].norm(dim=-1, keepdim=True).clamp(min=1e-12)
    poles = draft.raw["poles"] * (soft_bound(radius, 5, 2.5) / radius)
    draft.hear(poles=poles, zeros=soft_bound(draft.raw["zeros"], 1e3, 1e3))
    sections = []
    for k in range(count):
        index = (k,) if count > 1 else ()
        names = ("zero_radius", "zero_hz", "pole_radius", "pole_hz")
        sections.append(f"pole_zero({', '.join(draft.slider(name, *index) for name in names)})")
    return [draft.through("poles", f"{in_series(sections)} : *(amplitude({draft.slider('gain_db')}))")]


def state_variable(draft: Draft) -> list[Signal]:
    recursive(draft)
    count = draft.processor.num_filters
    draft.hear(G=soft_bound(draft.raw["G"], 10, 5))
    sections = []
    for k in range(count):
        index = (k,) if count > 1 else ()
        f, q, hp, bp, lp = (
            draft.slider(name, *index) for name in ("frequency_hz", "q", "highpass", "bandpass", "lowpass")
        )
        sections.append(f"bilinear({hp}, {bp}, {lp}, 1, 1/{q}, 1, tan(angle({f})/2))")
    return [draft.through("states", in_series(sections))]


def learned_fir(draft: Draft) -> list[Signal]:
    p = draft.processor
    with torch.no_grad():
        responses = p._response(draft.raw["fir"][None])[0]
    draft.note("its taps are fixed")
    return [finite(draft, responses, p.processor_channel)]


def finite(draft: Draft, responses: Tensor, mode: str) -> Signal:
    """Filter by responses ``(1 or 2, N)``, from whose zeros nothing comes."""
    taps = max(int((response != 0).sum()) for response in responses)
    if taps > MOST_TAPS:
        draft.refuse(
            f"its response has {taps} taps, and Faust computes no more than {MOST_TAPS} in time",
            "Use a shorter one, or a recursive processor in its place.",
        )
    filters = [draft.define(f"fir{c}", _taps(response.tolist())) for c, response in enumerate(responses)]
    if mode == "midside":
        left, right = draft.x
        middle, side = (
            draft.define(name, f"({left} {sign} {right})/2 : {fir}")
            for name, sign, fir in zip(("middle", "side"), "+-", filters, strict=True)
        )
        return [f"{middle} + {side}", f"{middle} - {side}"]
    channels = max(len(draft.x), len(filters))
    x, filters = (each if len(each) == channels else each * channels for each in (draft.x, filters))
    return draft.defined("y", [f"{channel} : {fir}" for channel, fir in zip(x, filters, strict=True)])


def _taps(response: Sequence[float]) -> str:
    """A finite response in pieces, which Faust takes much less time for than for a whole."""
    pieces = []
    for begin in range(0, len(response), PIECE):
        taps = enumerate(response[begin : begin + PIECE])
        if terms := [f"{number(tap)}*(u @ {time})" for time, tap in taps if tap]:
            pieces.append(f"(({total(terms)}) @ {begin})")
    return f"\\(u).({total(pieces)})"


def zero_phase(draft: Draft) -> list[Signal]:
    p = draft.processor
    draft.check_rate(always=True)
    with torch.no_grad():
        responses = p._response(draft.raw["log_magnitude"][None])[0]
    draft.note("its taps are fixed")
    draft.scope.latency += p.latency_samples
    return [finite(draft, responses, getattr(p, "processor_channel", "mono"))]


# Smoothers of control signals.


def one_pole(draft: Draft) -> list[Signal]:
    pole = draft.define("pole", f"coefficient({draft.slider('smoothing_ms')})")
    return [draft.through("smooth", f"*(1 - {pole}) : + ~ *({pole})")]


def ramp(draft: Draft) -> list[Signal]:
    return [draft.through("ramp", f"ramp(max(1, samples({draft.slider('duration_ms')})))")]


def allpass_smoother(draft: Draft) -> list[Signal]:
    a = draft.slider("coefficient")
    return [draft.through("smooth", f"biquad({a}, 1, 0, 1, {a}, 0)")]
