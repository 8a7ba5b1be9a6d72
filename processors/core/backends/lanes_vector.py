"""Eight float64 numbers as one vector of LLVM, for the code that :mod:`.numba_vectors` writes into kernels."""

from collections.abc import Callable, Sequence

from llvmlite import ir

from .lanes_scalar import DOUBLE, LANES

TYPE = ir.VectorType(DOUBLE, LANES)


def constant(numbers: Sequence[float]) -> ir.Constant:
    return TYPE(list(numbers))


def join(builder, numbers: Sequence):
    """Eight numbers as one value."""
    value = ir.VectorType(numbers[0].type, LANES)(ir.Undefined)
    for lane, number in enumerate(numbers):
        value = builder.insert_element(value, number, _index(lane))
    return value


def lanes(builder, value) -> list:
    """The numbers of a value."""
    return [builder.extract_element(value, _index(lane)) for lane in range(LANES)]


def splat(builder, number):
    single = builder.insert_element(TYPE(ir.Undefined), number, _index(0))
    return shuffle(builder, single, single, [0] * LANES)


def shuffle(builder, a, b, places: Sequence[int]):
    """Those at some places among the numbers of a and, after them, of b."""
    return builder.shuffle_vector(a, b, ir.VectorType(ir.IntType(32), LANES)(list(places)))


def each(builder, function: Callable, *values):
    """What a function of numbers gives for those in each lane."""
    return function(*values)


def of(element: ir.Type) -> ir.Type:
    """The type of what ``each`` gives to its function, for numbers of a type."""
    return ir.VectorType(element, LANES)


def read(builder, pointer):
    """Eight numbers in a row, which are float64, float32 or booleans."""
    element = pointer.type.pointee
    vector = builder.load(builder.bitcast(pointer, ir.VectorType(element, LANES).as_pointer()))
    vector.align = _bytes(element)
    if isinstance(element, ir.IntType):  # booleans are bytes
        return builder.uitofp(vector, TYPE)
    return vector if element == DOUBLE else builder.fpext(vector, TYPE)


def write(builder, value, pointer) -> None:
    element = pointer.type.pointee
    if isinstance(element, ir.IntType):
        value = builder.fptoui(value, ir.VectorType(element, LANES))
    elif element != DOUBLE:
        value = builder.fptrunc(value, ir.VectorType(element, LANES))
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = _bytes(element)


def _bytes(element: ir.Type) -> int:
    return {ir.DoubleType(): 8, ir.FloatType(): 4}.get(element, 1)


def _index(lane: int) -> ir.Constant:
    return ir.IntType(32)(lane)
