"""Delays and echoes in Faust."""

import torch

from ...processors.core.bounds import soft_bound
from ...processors.core.maps import logit_of
from ...processors.delay.echo import HIGH_CUT, LOW_CUT
from .block import Block, Signal
from .filters import finite
from .gains import DELAYS, mono_or_stereo, stereo


def delay_line(block: Block) -> list[Signal]:
    p = block.processor
    most, interpolation = p._line
    x, time = block.inlets
    delay = f"whole(samples({block.slider('delay_ms')}))"
    channels = max(len(x), len(time))
    x, time = (each if len(each) == channels else each * channels for each in (x, time))
    times = block.defined("time", [f"min({most!r}, max(0, {delay} + samples({swing})))" for swing in time])
    read = f"{DELAYS[interpolation]}({int(most)}, "
    return [[f"{channel} : {read}{own})" for channel, own in zip(x, times, strict=True)]]


def multitap(block: Block) -> list[Signal]:
    p = block.processor
    block.check_rate(always=True)
    with torch.no_grad():
        raw = {name: value.float()[None] for name, value in block.raw.items()}
        response, _ = p._response(raw["delay_z"], raw.get("log_fir_magnitude"))
    block.note("its taps are fixed")
    return [finite(block, response[0].double(), p.processor_channel)]


def feedback_delay(block: Block) -> list[Signal]:
    loop = _loop(block)
    return [block.defined("echo", [f"{channel} : {loop}(1)" for channel in block.x])]


def ping_pong(block: Block) -> list[Signal]:
    x, loop = mono_or_stereo(block), _loop(block)
    if block.processor.entrance == "mono":
        both = f"({' + '.join(x)})/{2 * len(x)}"
        middle, side = both, both
    else:
        left, right = stereo(x)
        middle, side = f"({left} + {right})/2", f"({left} - {right})/2"
    middle, side = block.define("middle", f"{middle} : {loop}(1)"), block.define("side", f"{side} : {loop}(0-1)")
    return [[f"{middle} + {side}", f"{middle} - {side}"]]


def _loop(block: Block) -> str:
    """A function of the sign of the feedback, which is a delay in a loop."""
    p = block.processor
    longest = int(p._longest()) + 1
    time = block.define("time", f"whole(samples({block.slider('time_ms')}))")
    feedback = block.slider("feedback")
    if not p.damped:
        return block.define("loop", f"echo({longest}, {time}, {feedback})")
    rate = p.sample_rate
    for name, limits in (("w0_low", LOW_CUT), ("w0_high", HIGH_CUT)):
        shift = logit_of(min(limits[2], 0.45 * rate), rate)
        block.hear(**{name: soft_bound(block.raw[name] + shift, 9, 2) - shift})
    cuts = f"{block.slider('low_cut_hz')}, {block.slider('high_cut_hz')}"
    return block.define("loop", f"damped_echo({cuts}, {longest}, {time}, {feedback})")
