"""Memoryless nonlinearities in Faust."""

import math

from ...processors.core.bounds import soft_bound
from ...processors.core.series import LARGEST
from ...processors.nonlinear.waveshaper import SLOPE_BOUNDS
from .draft import Draft, Signal, number, total


def _with_gains(draft: Draft, curve: str) -> list[Signal]:
    """A curve between a gain before and one after, which compensates it where there is no own."""
    before = f"*(amplitude({draft.slider('pre_gain_db')}))" if "log_pre_gain" in draft.raw else "_"
    after = "_"
    if "log_post_gain" in draft.raw:
        after = f"*(amplitude({draft.slider('post_gain_db')}))"
    elif "log_pre_gain" in draft.raw:
        after = f"*(amplitude(0 - {draft.slider('pre_gain_db')}))"
    return [draft.through("curve", f"{before} : {curve} : {after}")]


def _steady(draft: Draft) -> None:
    if draft.processor.remove_dc:
        draft.refuse("it subtracts the mean of the whole signal", "Make it with remove_dc=False, behind a DCBlocker.")


def tanh(draft: Draft) -> list[Signal]:
    _steady(draft)
    if "bias" not in draft.raw:
        return _with_gains(draft, "hyperbolic")
    offset = draft.slider("offset")
    return _with_gains(draft, f"(+({offset}) : hyperbolic : -(hyperbolic({offset})))")


def arctan(draft: Draft) -> list[Signal]:
    return [[f"atan({draft.slider('drive')}*{channel})*2/ma.PI" for channel in draft.x]]


def clip(draft: Draft) -> list[Signal]:
    low, high = number(draft.processor.low), number(draft.processor.high)
    return [[f"min({high}, max({low}, {channel}))" for channel in draft.x]]


def piecewise_tanh(draft: Draft) -> list[Signal]:
    _steady(draft)
    names = [f"{half}_{name}" for half in ("positive", "negative") for name in ("hardness", "threshold")]
    return _with_gains(draft, f"piecewise_tanh({', '.join(draft.slider(name) for name in names)})")


def series(basis: str):
    """A writer of sums of polynomials."""

    def write(draft: Draft) -> list[Signal]:
        _steady(draft)
        order = draft.raw["basis_weights"].shape[-1]
        bounds = ", ".join(map(number, _bounds(max(1, order - 1), basis)))
        weights = [draft.slider("weights", *((k,) if order > 1 else ())) for k in range(order)]
        lines = ["p0 = 1;", "p1 = v;"]
        for k in range(2, order):
            lines.append(f"p{k} = 2*v*p{k - 1} - p{k - 2};" if basis == "chebyshev" else f"p{k} = v*p{k - 1};")
        shaped = "hyperbolic(p{})" if draft.processor.use_tanh else "p{}"
        terms = total([f"{weight}*{shaped.format(k)}" for k, weight in enumerate(weights)])
        gain = f"*(amplitude({draft.slider('pre_gain_db')}))" if "log_pre_gain" in draft.raw else "_"
        curve = f"soft_bound({bounds}) : \\(v).({terms} with {{ {' '.join(lines)} }})"
        return [draft.through("curve", f"{gain} : {curve}")]

    return write


def _bounds(degree: int, basis: str) -> tuple[float, float]:
    """From where on signals are bounded softly before the polynomials, and by which margin."""
    if basis == "powers":
        limit = LARGEST ** (1 / degree)
        return limit, limit / degree
    angle = math.acosh(LARGEST) / degree
    return math.cosh(angle), math.sinh(angle) / degree


def waveshaper(draft: Draft) -> list[Signal]:
    p = draft.processor
    _at_its_rate(draft, " and antialiasing='adaa1'")
    if p.antialiasing == "adaa2":
        draft.refuse("its means over three samples are found by a quadrature", "Use antialiasing='adaa1' or None.")
    drive, offset, after = (draft.slider(name) for name in ("drive_db", "offset", "post_gain_db"))
    name = CURVES[p.shape]
    drive = draft.define("drive", f"amplitude({drive})")
    if p.antialiasing is None:
        curve = f"\\(u).({name}(u*{drive} + {offset}))"
    else:
        piece = f"{name}_piece" if p.shape in CORNERED else "smooth_piece"
        curve = f"\\(u).(mean_of({name}, {name}_first, {piece}, u*{drive} + {offset}, u'*{drive} + {offset}))"
    return [draft.through("shape", f"({curve}) : -({name}({offset})) : *(amplitude({after}))")]


CURVES = {
    "hard": "clipped",
    "cubic": "cubic",
    "tanh": "hyperbolic",
    "arctan": "arcus",
    "tube": "tube",
    "sine_fold": "sine_fold",
    "triangle_fold": "triangle_fold",
}
CORNERED = "hard", "cubic", "tube", "triangle_fold"
"""Shapes of pieces, between which the mean is one of antiderivatives however close samples are."""


def _at_its_rate(draft: Draft, instead: str = "") -> None:
    if draft.processor.oversampling > 1:
        draft.refuse("it oversamples, and Faust has one sample rate", f"Make it with oversampling=1{instead}.")


def spline(draft: Draft) -> list[Signal]:
    _at_its_rate(draft)
    bins = draft.processor.num_bins
    draft.hear(
        log_bin_gain=soft_bound(draft.raw["log_bin_gain"], *SLOPE_BOUNDS),
        log_knot_gain=soft_bound(draft.raw["log_knot_gain"], *SLOPE_BOUNDS),
    )
    s = [draft.define(f"mean{k}", f"amplitude({draft.slider('bin_gain_db', k)})") for k in range(bins)]
    d = [draft.define(f"slope{k}", f"amplitude({draft.slider('knot_gain_db', k)})") for k in range(bins + 1)]
    width, middle = 2 / bins, bins // 2
    heights = ["0"] * (bins + 1)
    for k in range(middle, bins):
        heights[k + 1] = draft.define(f"height{k + 1}", f"{heights[k]} + {s[k]}*{number(width)}")
    for k in range(middle, 0, -1):
        heights[k - 1] = draft.define(f"height{k - 1}", f"{heights[k]} - {s[k - 1]}*{number(width)}")

    def chosen(values: list[str]) -> str:
        found = values[0]
        for k in range(1, bins):
            found = f"select2(bin >= {k}, {found}, {values[k]})"
        return found

    lines = [
        "inside = min(1, max(0-1, u));",
        f"place = (inside + 1)/{number(width)};",
        f"bin = min({bins - 1}, int(place));",
        f"low = {chosen(heights)};",
        f"mean = {chosen(s)};",
        f"before = {chosen(d[:-1])};",
        f"after = {chosen(d[1:])};",
        "t = place - bin;",
        "product = t*(1 - t);",
        f"y = low + {number(width)}*mean*(mean*t*t + before*product)/(mean + (before + after - 2*mean)*product);",
        f"end = select2(u < 0, {d[-1]}, {d[0]});",
    ]
    curve = f"\\(u).(y + end*(u - inside) with {{ {' '.join(lines)} }})"
    gains = (f"*(amplitude({draft.slider(name)}))" for name in ("drive_db", "post_gain_db"))
    before, after = gains
    return [draft.through("curve", f"{before} : {curve} : {after}")]


def crusher(draft: Draft) -> list[Signal]:
    step = draft.define("step", f"pow(2, 1 - whole({draft.slider('bits')}))")
    hold = f"hold(max(1, whole({draft.slider('downsampling')})))"
    held = draft.defined("held", [f"{channel} : {hold}" for channel in draft.x])
    return [[f"floor({channel}/{step} + 0.5)*{step}" for channel in held]]
