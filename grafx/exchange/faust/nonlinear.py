"""Memoryless nonlinearities in Faust."""

from ...processors.core.bounds import soft_bound
from ...processors.core.series import _range
from ...processors.nonlinear.waveshaper import SLOPE_BOUNDS
from .block import Block, Signal, number, total


def _with_gains(block: Block, curve: str) -> list[Signal]:
    """A curve between a gain before and one after, which compensates it where there is no own."""
    before = f"*(amplitude({block.slider('pre_gain_db')}))" if "log_pre_gain" in block.raw else "_"
    after = "_"
    if "log_post_gain" in block.raw:
        after = f"*(amplitude({block.slider('post_gain_db')}))"
    elif "log_pre_gain" in block.raw:
        after = f"*(amplitude(0 - {block.slider('pre_gain_db')}))"
    return [block.through("curve", f"{before} : {curve} : {after}")]


def _steady(block: Block) -> None:
    if block.processor.remove_dc:
        block.refuse("it subtracts the mean of the whole signal", "Make it with remove_dc=False, behind a DCBlocker.")


def tanh(block: Block) -> list[Signal]:
    _steady(block)
    if "bias" not in block.raw:
        return _with_gains(block, "hyperbolic")
    offset = block.slider("offset")
    return _with_gains(block, f"(+({offset}) : hyperbolic : -(hyperbolic({offset})))")


def arctan(block: Block) -> list[Signal]:
    return [[f"atan({block.slider('drive')}*{channel})*2/ma.PI" for channel in block.x]]


def clip(block: Block) -> list[Signal]:
    low, high = number(block.processor.low), number(block.processor.high)
    return [[f"min({high}, max({low}, {channel}))" for channel in block.x]]


def piecewise_tanh(block: Block) -> list[Signal]:
    _steady(block)
    names = [f"{half}_{name}" for half in ("positive", "negative") for name in ("hardness", "threshold")]
    return _with_gains(block, f"piecewise_tanh({', '.join(block.slider(name) for name in names)})")


def series(basis: str):
    """A writer of sums of polynomials."""

    def write(block: Block) -> list[Signal]:
        _steady(block)
        order = block.raw["basis_weights"].shape[-1]
        bounds = ", ".join(map(number, _range(order - 1, basis)))
        weights = [block.slider("weights", *((k,) if order > 1 else ())) for k in range(order)]
        lines = ["p0 = 1;", "p1 = v;"]
        for k in range(2, order):
            lines.append(f"p{k} = 2*v*p{k - 1} - p{k - 2};" if basis == "chebyshev" else f"p{k} = v*p{k - 1};")
        shaped = "hyperbolic(p{})" if block.processor.use_tanh else "p{}"
        terms = total([f"{weight}*{shaped.format(k)}" for k, weight in enumerate(weights)])
        gain = f"*(amplitude({block.slider('pre_gain_db')}))" if "log_pre_gain" in block.raw else "_"
        curve = f"soft_bound({bounds}) : \\(v).({terms} with {{ {' '.join(lines)} }})"
        return [block.through("curve", f"{gain} : {curve}")]

    return write


def waveshaper(block: Block) -> list[Signal]:
    p = block.processor
    _at_its_rate(block)
    if p.antialiasing == "adaa2":
        block.refuse("its means over three samples are found by a quadrature", "Use antialiasing='adaa1' or None.")
    drive, offset, after = (block.slider(name) for name in ("drive_db", "offset", "post_gain_db"))
    name = CURVES[p.shape]
    drive = block.define("drive", f"amplitude({drive})")
    if p.antialiasing is None:
        curve = f"\\(u).({name}(u*{drive} + {offset}))"
    else:
        piece = f"{name}_piece" if p.shape in CORNERED else "smooth_piece"
        curve = f"\\(u).(mean_of({name}, {name}_first, {piece}, u*{drive} + {offset}, u'*{drive} + {offset}))"
    return [block.through("shape", f"({curve}) : -({name}({offset})) : *(amplitude({after}))")]


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


def _at_its_rate(block: Block) -> None:
    if block.processor.oversampling > 1:
        block.refuse(
            "it oversamples by linear-phase filters, which look ahead", "Make it with oversampling=1, or antialiasing."
        )


def spline(block: Block) -> list[Signal]:
    _at_its_rate(block)
    bins = block.processor.num_bins
    block.hear(
        log_bin_gain=soft_bound(block.raw["log_bin_gain"], *SLOPE_BOUNDS),
        log_knot_gain=soft_bound(block.raw["log_knot_gain"], *SLOPE_BOUNDS),
    )
    s = [block.define(f"mean{k}", f"amplitude({block.slider('bin_gain_db', k)})") for k in range(bins)]
    d = [block.define(f"slope{k}", f"amplitude({block.slider('knot_gain_db', k)})") for k in range(bins + 1)]
    width, middle = 2 / bins, bins // 2
    heights = ["0"] * (bins + 1)
    for k in range(middle, bins):
        heights[k + 1] = block.define(f"height{k + 1}", f"{heights[k]} + {s[k]}*{number(width)}")
    for k in range(middle, 0, -1):
        heights[k - 1] = block.define(f"height{k - 1}", f"{heights[k]} - {s[k - 1]}*{number(width)}")

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
    gains = (f"*(amplitude({block.slider(name)}))" for name in ("drive_db", "post_gain_db"))
    before, after = gains
    return [block.through("curve", f"{before} : {curve} : {after}")]


def crusher(block: Block) -> list[Signal]:
    step = block.define("step", f"pow(2, 1 - whole({block.slider('bits')}))")
    hold = f"hold(max(1, whole({block.slider('downsampling')})))"
    held = block.defined("held", [f"{channel} : {hold}" for channel in block.x])
    return [[f"floor({channel}/{step} + 0.5)*{step}" for channel in held]]
