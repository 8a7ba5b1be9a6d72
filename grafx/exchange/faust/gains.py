"""Gain, panning, width and sends in Faust."""

from ...processors.core.delay_line import INTERPOLATIONS
from .block import Block, Signal, number

DELAYS = dict(zip(INTERPOLATIONS, ("linear_delay", "cubic_delay", "allpass_delay"), strict=True))
LAWS = {"linear": "pan_linear", "constant_power": "pan_power", "balance": "pan_balance", "-4.5dB": "pan_between"}


def stereo(x: Signal) -> Signal:
    """Two channels, which are the same where there is one."""
    return x * 2 if len(x) == 1 else x


def mono_or_stereo(block: Block) -> Signal:
    """The channels at the first inlet, of which there must be one or two."""
    if len(block.x) > 2:
        block.refuse(f"it takes mono or stereo signals, not {len(block.x)} channels", "Mix them down before.")
    return block.x


def both(block: Block) -> Signal:
    """The channels at the first inlet, of which there must be two."""
    if len(block.x) != 2:
        block.refuse(
            f"it needs a stereo signal, not {len(block.x)} channel(s)", "Put a MonoToStereo before it, or give stereo."
        )
    return block.x


def stereo_gain(block: Block) -> list[Signal]:
    gains = [block.slider(f"{side}_gain_db") for side in ("left", "right")]
    x = block.x if len(block.x) > 1 else block.x * 2
    return [[f"{channel}*amplitude({gain})" for channel, gain in zip(x, gains, strict=True)]]


def side_gain(block: Block) -> list[Signal]:
    left, right = both(block)
    side = block.define("side", f"({left} - {right})/2*amplitude({block.slider('side_gain_db')})")
    middle = block.define("middle", f"({left} + {right})/2")
    return [[f"{middle} + {side}", f"{middle} - {side}"]]


def mono_to_stereo(block: Block) -> list[Signal]:
    return [stereo(mono_or_stereo(block))]


def to_mid_side(block: Block) -> list[Signal]:
    left, right = both(block)
    gain = number(block.processor.gain)
    return [[f"({left} + {right})*{gain}"], [f"({left} - {right})*{gain}"]]


def from_mid_side(block: Block) -> list[Signal]:
    for name, signal in zip(("mid", "side"), block.inlets, strict=True):
        if len(signal) != 1:
            block.refuse(f"it needs a mono signal at {name!r}, not {len(signal)} channels", "Feed it from mono nodes.")
    (mid,), (side,) = block.inlets
    gain = number(block.processor.gain)
    return [[f"({mid} + {side})*{gain}", f"({mid} - {side})*{gain}"]]


def panner(block: Block) -> list[Signal]:
    pan = block.slider("pan")
    law = LAWS[block.processor.law]
    left, right = stereo(mono_or_stereo(block))
    return [[f"{left}*{law}({pan})", f"{right}*{law}(0 - {pan})"]]


def widener(block: Block) -> list[Signal]:
    left, right = both(block)
    side = f"({left} - {right})/2"
    if block.processor.mono_bass:
        side = f"{side} : highpass({block.slider('mono_below_hz')}, sqrt(0.5))"
    side = block.define("side", f"({side})*{block.slider('width')}")
    middle = block.define("middle", f"({left} + {right})/2")
    return [[f"{middle} + {side}", f"{middle} - {side}"]]


def haas(block: Block) -> list[Signal]:
    left, right = stereo(mono_or_stereo(block))
    most, interpolation = block.processor._line
    sign = "0 - " if block.processor.invert else ""
    time = block.define("time", f"min({number(most)}, max(0, samples({block.slider('delay_ms')})))")
    side = left if block.processor.delayed == "left" else right
    late = f"({sign}amplitude({block.slider('gain_db')}))*({side} : {DELAYS[interpolation]}({int(most)}, {time}))"
    return [[late, right] if block.processor.delayed == "left" else [left, late]]


def send(block: Block) -> list[Signal]:
    gain = block.slider("send_db")
    return [block.x, [f"{channel}*amplitude({gain})" for channel in block.x]]
