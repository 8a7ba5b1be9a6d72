"""Eight float64 numbers as eight scalars of LLVM; see :mod:`.lanes_vector`, which does the same with one vector."""

from collections.abc import Callable, Sequence

from llvmlite import ir

LANES = 8
DOUBLE = ir.DoubleType()
TYPE = ir.ArrayType(DOUBLE, LANES)


def constant(numbers: Sequence[float]) -> ir.Constant:
    return TYPE([DOUBLE(number) for number in numbers])


def join(builder, numbers: Sequence):
    """Eight numbers as one value."""
    value = ir.ArrayType(numbers[0].type, LANES)(ir.Undefined)
    for lane, number in enumerate(numbers):
        value = builder.insert_value(value, number, lane)
    return value


def lanes(builder, value) -> list:
    """The numbers of a value."""
    return [builder.extract_value(value, lane) for lane in range(LANES)]


def splat(builder, number):
    return join(builder, [number] * LANES)


def shuffle(builder, a, b, places: Sequence[int]):
    """Those at some places among the numbers of a and, after them, of b."""
    numbers = lanes(builder, a) + lanes(builder, b)
    return join(builder, [numbers[place] for place in places])


def each(builder, function: Callable, *values):
    """What a function of numbers gives for those in each lane."""
    return join(builder, [function(*numbers) for numbers in zip(*(lanes(builder, v) for v in values), strict=True)])


def of(element: ir.Type) -> ir.Type:
    """The type of what ``each`` gives to its function, for numbers of a type."""
    return element


def read(builder, pointer):
    """Eight numbers in a row, which are float64, float32 or booleans."""
    return join(builder, [_read(builder, builder.gep(pointer, [_index(lane)])) for lane in range(LANES)])


def write(builder, value, pointer) -> None:
    element = pointer.type.pointee
    for lane, number in enumerate(lanes(builder, value)):
        if isinstance(element, ir.IntType):
            number = builder.fptoui(number, element)
        elif element != DOUBLE:
            number = builder.fptrunc(number, element)
        builder.store(number, builder.gep(pointer, [_index(lane)]))


def _read(builder, pointer):
    number = builder.load(pointer)
    if isinstance(number.type, ir.IntType):  # booleans are bytes
        return builder.uitofp(number, DOUBLE)
    return number if number.type == DOUBLE else builder.fpext(number, DOUBLE)


def _index(lane: int) -> ir.Constant:
    return ir.IntType(64)(lane)
