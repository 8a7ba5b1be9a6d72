"""Gain, panning, width and sends in Faust."""

from ...processors.core.delay_line import INTERPOLATIONS
from .draft import Draft, Signal, number

DELAYS = dict(zip(INTERPOLATIONS, ("linear_delay", "cubic_delay", "allpass_delay"), strict=True))
LAWS = {"linear": "pan_linear", "constant_power": "pan_power", "balance": "pan_balance", "-4.5dB": "pan_between"}


def stereo(x: Signal) -> Signal:
    """Two channels, which are the same where there is one."""
    return x * 2 if len(x) == 1 else x


def mono_or_stereo(draft: Draft) -> Signal:
    """The channels at the first inlet, of which there must be one or two."""
    if len(draft.x) > 2:
        draft.refuse(f"it takes mono or stereo signals, not {len(draft.x)} channels", "Mix them down before.")
    return draft.x


def both(draft: Draft) -> Signal:
    """The channels at the first inlet, of which there must be two."""
    if len(draft.x) != 2:
        draft.refuse(
            f"it needs a stereo signal, not {len(draft.x)} channel(s)", "Put a MonoToStereo before it, or give stereo."
        )
    return draft.x


def stereo_gain(draft: Draft) -> list[Signal]:
    gains = [draft.slider(f"{side}_gain_db") for side in ("left", "right")]
    x = draft.x if len(draft.x) > 1 else draft.x * 2
    return [[f"{channel}*amplitude({gain})" for channel, gain in zip(x, gains, strict=True)]]


def side_gain(draft: Draft) -> list[Signal]:
    left, right = both(draft)
    side = draft.define("side", f"({left} - {right})/2*amplitude({draft.slider('side_gain_db')})")
    middle = draft.define("middle", f"({left} + {right})/2")
    return [[f"{middle} + {side}", f"{middle} - {side}"]]


def mono_to_stereo(draft: Draft) -> list[Signal]:
    return [stereo(mono_or_stereo(draft))]


def to_mid_side(draft: Draft) -> list[Signal]:
    left, right = both(draft)
    gain = number(draft.processor.gain)
    return [[f"({left} + {right})*{gain}"], [f"({left} - {right})*{gain}"]]


def from_mid_side(draft: Draft) -> list[Signal]:
    for name, signal in zip(("mid", "side"), draft.inlets, strict=True):
        if len(signal) != 1:
            draft.refuse(f"it needs a mono signal at {name!r}, not {len(signal)} channels", "Feed it from mono nodes.")
    (mid,), (side,) = draft.inlets
    gain = number(draft.processor.gain)
    return [[f"({mid} + {side})*{gain}", f"({mid} - {side})*{gain}"]]


def panner(draft: Draft) -> list[Signal]:
    pan = draft.slider("pan")
    law = LAWS[draft.processor.law]
    left, right = stereo(mono_or_stereo(draft))
    return [[f"{left}*{law}({pan})", f"{right}*{law}(0 - {pan})"]]


def widener(draft: Draft) -> list[Signal]:
    left, right = both(draft)
    side = f"({left} - {right})/2"
    if draft.processor.mono_bass:
        side = f"{side} : highpass({draft.slider('mono_below_hz')}, sqrt(0.5))"
    side = draft.define("side", f"({side})*{draft.slider('width')}")
    middle = draft.define("middle", f"({left} + {right})/2")
    return [[f"{middle} + {side}", f"{middle} - {side}"]]


def haas(draft: Draft) -> list[Signal]:
    left, right = stereo(mono_or_stereo(draft))
    most, interpolation = draft.processor._line
    sign = "0 - " if draft.processor.invert else ""
    time = draft.define("time", f"min({number(most)}, max(0, samples({draft.slider('delay_ms')})))")
    side = left if draft.processor.delayed == "left" else right
    late = f"({sign}amplitude({draft.slider('gain_db')}))*({side} : {DELAYS[interpolation]}({int(most)}, {time}))"
    return [[late, right] if draft.processor.delayed == "left" else [left, late]]


def send(draft: Draft) -> list[Signal]:
    gain = draft.slider("send_db")
    return [draft.x, [f"{channel}*amplitude({gain})" for channel in draft.x]]
