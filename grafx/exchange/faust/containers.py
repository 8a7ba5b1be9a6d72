"""Containers in Faust: their members, mixed."""

from ...data.attributes import WEIGHT
from ...processors.contract import contract_of
from ...processors.controls import at
from .block import Block, Signal, slider, total


def dry_wet(block: Block) -> list[Signal]:
    own = {name: value for name, value in block.raw.items() if name != WEIGHT}
    if block.processor.external_param:
        weight = float(block.raw[WEIGHT])
        share = block.define("wet", slider(block.scope, ["wet"], weight, 0.0, 1.0))
        own = {**own, WEIGHT: block.raw[WEIGHT]} if block.processor.shared else own
    else:
        share = block.slider("drywet")
    before = block.scope.latency
    (wet,) = block.member(block.processor.processor, own, block.inlets)
    dry = late(block.x, block.scope.latency - before)
    return [crossfaded(dry, block.defined("inside", wet), share)]


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


def wrapper(block: Block) -> list[Signal]:
    return block.member(block.processor.processor, block.raw, block.inlets)


def chain(block: Block) -> list[Signal]:
    signal = block.x
    for name, processor, raw in _members(block):
        (signal,) = block.member(processor, raw, [signal], name)
        signal = block.defined(f"{name}_out", signal)
    return [signal]


def parallel(block: Block) -> list[Signal]:
    p = block.processor
    outputs = _side_by_side(block, [(*member, block.inlets, None) for member in _members(block)])
    count = len(outputs)
    index = [(k,) if count > 1 else () for k in range(count)]
    gains = [block.define(f"gain{k}", f"amplitude({block.slider('gains_db', *i)})") for k, i in enumerate(index)]
    if p.activation == "softmax":
        whole = block.define("whole", total(gains))
        gains = [f"{gain}/{whole}" for gain in gains]
    channels = max(map(len, outputs))
    outputs = [each if len(each) == channels else each * channels for each in outputs]
    return [
        [total([f"{output[c]}*{gain}" for output, gain in zip(outputs, gains, strict=True)]) for c in range(channels)]
    ]


def in_bands(block: Block) -> list[Signal]:
    p = block.processor
    crossover = block.member(p.crossover, {"log_freq": block.raw["log_freq"]}, [block.x])
    members = []
    for (name, processor, raw), band in zip(_members(block), crossover, strict=True):
        limits = {
            leaf.path[-1].removeprefix(f"{name}_"): leaf.control
            for leaf in p.leaves()
            if leaf.path[0].startswith(f"{name}_")
        }
        members.append((name, processor, raw, [block.defined(f"{name}_in", band), *block.inlets[1:]], limits))
    return [[total(list(each)) for each in zip(*_side_by_side(block, members), strict=True)]]


def _side_by_side(block: Block, members: list[tuple]) -> list[Signal]:
    """Write members, and delay what they give to the latest of them."""
    before, outputs = block.scope.latency, []
    for name, processor, raw, inlets, limits in members:
        block.scope.latency = before
        (signal,) = block.member(processor, raw, inlets, name, limits)
        outputs.append((block.defined(f"{name}_out", signal), block.scope.latency - before))
    signals, latest = aligned(outputs)
    block.scope.latency = before + latest
    return signals


def _members(block: Block):
    """Name, processor and raw parameters of each member."""
    for name, processor in block.processor.processors.items():
        raw = at(block.raw, (name,)) or {}
        taken = {WEIGHT: block.raw[WEIGHT]} if WEIGHT in block.raw and _takes_weight(processor) else {}
        yield name, processor, {**taken, **raw}


def _takes_weight(processor) -> bool:
    return WEIGHT in contract_of(processor).external_parameters()
