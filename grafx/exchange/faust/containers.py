"""Containers in Faust: their members, mixed."""

from ...data.attributes import WEIGHT
from ...processors.contract import contract_of
from ...processors.controls import at
from .draft import Draft, Signal, slider, total


def dry_wet(draft: Draft) -> list[Signal]:
    own = {name: value for name, value in draft.raw.items() if name != WEIGHT}
    if draft.processor.external_param:
        weight = float(draft.raw[WEIGHT])
        share = draft.define("wet", slider(draft.scope, ["wet"], weight, 0.0, 1.0))
        own = {**own, WEIGHT: draft.raw[WEIGHT]} if draft.processor.shared else own
    else:
        share = draft.slider("drywet")
    before = draft.scope.latency
    (wet,) = draft.member(draft.processor.processor, own, draft.inlets)
    dry = late(draft.x, draft.scope.latency - before)
    return [crossfaded(dry, draft.defined("inside", wet), share)]


def crossfaded(dry: Signal, wet: Signal, share: str) -> Signal:
    count = max(len(dry), len(wet))
    dry, wet = (each if len(each) == count else each * count for each in (dry, wet))
    return [f"{d} + {share}*({w} - {d})" for d, w in zip(dry, wet, strict=True)]


def late(signal: Signal, samples: int) -> Signal:
    """Delay a signal by some samples."""
    return [f"({channel} @ {samples})" for channel in signal] if samples else signal


def aligned(signals: list[tuple[Signal, int]]) -> tuple[list[Signal], int]:
    """Delay signals that are late by some samples each to the latest, and return how late that is."""
    latest = max((samples for _, samples in signals), default=0)
    return [late(signal, latest - samples) for signal, samples in signals], latest


def wrapper(draft: Draft) -> list[Signal]:
    return draft.member(draft.processor.processor, draft.raw, draft.inlets)


def chain(draft: Draft) -> list[Signal]:
    signal = draft.x
    for name, processor, raw in _members(draft):
        (signal,) = draft.member(processor, raw, [signal], name)
        signal = draft.defined(f"{name}_out", signal)
    return [signal]


def parallel(draft: Draft) -> list[Signal]:
    p = draft.processor
    outputs = _side_by_side(draft, [(*member, draft.inlets, None) for member in _members(draft)])
    count = len(outputs)
    index = [(k,) if count > 1 else () for k in range(count)]
    gains = [draft.define(f"gain{k}", f"amplitude({draft.slider('gains_db', *i)})") for k, i in enumerate(index)]
    if p.activation == "softmax":
        whole = draft.define("whole", total(gains))
        gains = [f"{gain}/{whole}" for gain in gains]
    channels = max(map(len, outputs))
    outputs = [each if len(each) == channels else each * channels for each in outputs]
    return [
        [total([f"{output[c]}*{gain}" for output, gain in zip(outputs, gains, strict=True)]) for c in range(channels)]
    ]


def in_bands(draft: Draft) -> list[Signal]:
    p = draft.processor
    crossover = draft.member(p.crossover, {"log_freq": draft.raw["log_freq"]}, [draft.x])
    members = []
    for (name, processor, raw), band in zip(_members(draft), crossover, strict=True):
        limits = {
            leaf.path[-1].removeprefix(f"{name}_"): leaf.control
            for leaf in p.leaves()
            if leaf.path[0].startswith(f"{name}_")
        }
        members.append((name, processor, raw, [draft.defined(f"{name}_in", band), *draft.inlets[1:]], limits))
    return [[total(list(each)) for each in zip(*_side_by_side(draft, members), strict=True)]]


def _side_by_side(draft: Draft, members: list[tuple]) -> list[Signal]:
    """Write members, and delay what they give to the latest of them."""
    before, outputs = draft.scope.latency, []
    for name, processor, raw, inlets, limits in members:
        draft.scope.latency = before
        (signal,) = draft.member(processor, raw, inlets, name, limits)
        outputs.append((draft.defined(f"{name}_out", signal), draft.scope.latency - before))
    signals, latest = aligned(outputs)
    draft.scope.latency = before + latest
    return signals


def _members(draft: Draft):
    """Name, processor and raw parameters of each member."""
    for name, processor in draft.processor.processors.items():
        raw = at(draft.raw, (name,)) or {}
        taken = {WEIGHT: draft.raw[WEIGHT]} if WEIGHT in draft.raw and _takes_weight(processor) else {}
        yield name, processor, {**taken, **raw}


def _takes_weight(processor) -> bool:
    return WEIGHT in contract_of(processor).external_parameters()
