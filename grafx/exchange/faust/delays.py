"""Delays and echoes in Faust."""

import torch

from ...processors.core.bounds import soft_bound
from ...processors.core.maps import logit_of
from ...processors.delay.echo import HIGH_CUT, LOW_CUT
from .draft import Draft, Signal
from .filters import finite
from .gains import DELAYS, mono_or_stereo, stereo


def delay_line(draft: Draft) -> list[Signal]:
    p = draft.processor
    most, interpolation = p._line
    x, time = draft.inlets
    delay = f"whole(samples({draft.slider('delay_ms')}))"
    channels = max(len(x), len(time))
    x, time = (each if len(each) == channels else each * channels for each in (x, time))
    times = draft.defined("time", [f"min({most!r}, max(0, {delay} + samples({swing})))" for swing in time])
    read = f"{DELAYS[interpolation]}({int(most)}, "
    return [[f"{channel} : {read}{own})" for channel, own in zip(x, times, strict=True)]]


def multitap(draft: Draft) -> list[Signal]:
    p = draft.processor
    draft.check_rate(always=True)
    with torch.no_grad():
        raw = {name: value.float()[None] for name, value in draft.raw.items()}
        response, _ = p._response(raw["delay_z"], raw.get("log_fir_magnitude"))
    draft.note("its taps are fixed")
    return [finite(draft, response[0].double(), p.processor_channel)]


def feedback_delay(draft: Draft) -> list[Signal]:
    loop = _loop(draft)
    return [draft.defined("echo", [f"{channel} : {loop}(1)" for channel in draft.x])]


def ping_pong(draft: Draft) -> list[Signal]:
    x, loop = mono_or_stereo(draft), _loop(draft)
    if draft.processor.entrance == "mono":
        both = f"({' + '.join(x)})/{2 * len(x)}"
        middle, side = both, both
    else:
        left, right = stereo(x)
        middle, side = f"({left} + {right})/2", f"({left} - {right})/2"
    middle, side = draft.define("middle", f"{middle} : {loop}(1)"), draft.define("side", f"{side} : {loop}(0-1)")
    return [[f"{middle} + {side}", f"{middle} - {side}"]]


def _loop(draft: Draft) -> str:
    """A function of the sign of the feedback, which is a delay in a loop."""
    p = draft.processor
    longest = int(p._longest()) + 1
    time = draft.define("time", f"whole(samples({draft.slider('time_ms')}))")
    feedback = draft.slider("feedback")
    if not p.damped:
        return draft.define("loop", f"echo({longest}, {time}, {feedback})")
    rate = p.sample_rate
    for name, limits in (("w0_low", LOW_CUT), ("w0_high", HIGH_CUT)):
        shift = logit_of(min(limits[2], 0.45 * rate), rate)
        draft.hear(**{name: soft_bound(draft.raw[name] + shift, 9, 2) - shift})
    cuts = f"{draft.slider('low_cut_hz')}, {draft.slider('high_cut_hz')}"
    return draft.define("loop", f"damped_echo({cuts}, {longest}, {time}, {feedback})")
