"""Vectors of eight float64 numbers inside numba kernels.

Numba compiles loops with loop-carried numbers, such as recursions, to scalar code. Here the vectors are explicit: a
variable of type ``doubles`` holds eight numbers, in one register or in as many smaller ones as needed. Arrays must be
contiguous and in order.

The cache of compiled kernels does not detect changes in this file: touch the modules of kernels, too.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 8
VECTOR = ir.VectorType(ir.DoubleType(), LANES)
INTEGERS = ir.VectorType(ir.IntType(64), LANES)
CONTRACT = ("contract",)  # a product and the sum that it goes into may be rounded once


class Doubles(types.Type):
    def __init__(self) -> None:
        super().__init__(name="doubles")


doubles = Doubles()


@register_model(Doubles)
class DoublesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        super().__init__(dmm, fe_type, VECTOR)


def _arithmetic(instruction: str, *symbols) -> None:
    @intrinsic
    def apply(typingctx, a, b):
        def codegen(context, builder, signature, args):
            return getattr(builder, instruction)(*args, flags=CONTRACT)

        return doubles(doubles, doubles), codegen

    def operate(a, b):
        if a is doubles and b is doubles:
            return lambda a, b: apply(a, b)

    for symbol in symbols:
        overload(symbol)(operate)


_arithmetic("fadd", operator.add, operator.iadd)
_arithmetic("fsub", operator.sub, operator.isub)
_arithmetic("fmul", operator.mul, operator.imul)
_arithmetic("fdiv", operator.truediv, operator.itruediv)


@intrinsic
def splat(typingctx, value):
    """Broadcast a number to all lanes."""

    def codegen(context, builder, signature, args):
        return _splat(builder, args[0])

    return doubles(types.float64), codegen


@intrinsic
def hidden_zeros(typingctx):
    """Return zero in all lanes, opaque to the compiler, which would load constants by a slow instruction."""

    def codegen(context, builder, signature, args):
        integer = ir.IntType(64)
        zero = builder.asm(ir.FunctionType(integer, [integer]), "", "=r,0", [_index(0)], side_effect=False)
        return _splat(builder, builder.bitcast(zero, ir.DoubleType()))

    return doubles(), codegen


@intrinsic
def load(typingctx, array, n):
    """Load eight numbers of a contiguous array, from flat index n on."""

    def codegen(context, builder, signature, args):
        return _load(builder, builder.gep(_data(context, builder, signature, args, 0), [args[1]]))

    return doubles(array, types.intp), codegen


@intrinsic
def store(typingctx, array, n, vector):
    """Store to a contiguous array, from flat index n on."""

    def codegen(context, builder, signature, args):
        _store(builder, args[2], builder.gep(_data(context, builder, signature, args, 0), [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, doubles), codegen


@intrinsic
def ramp(typingctx, n):
    """Return n, n + 1, … in the lanes."""

    def codegen(context, builder, signature, args):
        steps = VECTOR([float(lane) for lane in range(LANES)])
        return builder.fadd(_splat(builder, builder.sitofp(args[0], ir.DoubleType())), steps)

    return doubles(types.intp), codegen


@intrinsic
def gather(typingctx, array, places, offset):
    """Load numbers of a contiguous array at any flat indices within it: array[places + offset]."""

    def codegen(context, builder, signature, args):
        pointers = _pointers(context, builder, signature, args)
        vector = ir.VectorType(pointers[0].type.pointee, LANES)(ir.Undefined)
        for lane, pointer in enumerate(pointers):
            vector = builder.insert_element(vector, builder.load(pointer), _index(lane, 32))
        return vector if vector.type == VECTOR else builder.fpext(vector, VECTOR)

    return doubles(array, doubles, types.intp), codegen


@intrinsic
def scatter_add(typingctx, array, places, offset, vector):
    """Add to a contiguous array of float64 at any flat indices within it, which may repeat."""

    def codegen(context, builder, signature, args):
        for lane, pointer in enumerate(_pointers(context, builder, signature, args)):
            number = builder.extract_element(args[3], _index(lane, 32))
            builder.store(builder.fadd(builder.load(pointer), number), pointer)
        return context.get_dummy_value()

    return types.void(array, doubles, types.intp, doubles), codegen


@intrinsic
def load_rows(typingctx, matrix, first, last, n, block, m):
    """Load with rows as lanes: block[m + i, l] = matrix[min(first + l, last), n + i] for i and l below 8."""

    def codegen(context, builder, signature, args):
        rows = [_load(builder, pointer) for pointer in _rows(context, builder, signature, args)]
        for column, pointer in zip(_transpose(builder, rows), _samples(context, builder, signature, args), strict=True):
            _store(builder, column, pointer)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, types.intp, block, types.intp), codegen


@intrinsic
def store_rows(typingctx, matrix, first, last, n, block, m):
    """Store, the inverse of ``load_rows``. Lanes of the same row must agree."""

    def codegen(context, builder, signature, args):
        columns = [_load(builder, pointer) for pointer in _samples(context, builder, signature, args)]
        for row, pointer in zip(_transpose(builder, columns), _rows(context, builder, signature, args), strict=True):
            _store(builder, row, pointer)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, types.intp, block, types.intp), codegen


def _lane(number: int):
    @intrinsic
    def take(typingctx, vector):
        def codegen(context, builder, signature, args):
            return builder.extract_element(args[0], _index(number, 32))

        return types.float64(doubles), codegen

    return take


first, last = _lane(0), _lane(LANES - 1)


@intrinsic
def total(typingctx, vector):
    """Sum all lanes."""

    def codegen(context, builder, signature, args):
        lanes = [builder.extract_element(args[0], _index(lane, 32)) for lane in range(LANES)]
        while len(lanes) > 1:
            lanes = [builder.fadd(a, b) for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
        return lanes[0]

    return types.float64(doubles), codegen


@intrinsic
def least(typingctx, vector):
    """Return the minimum of all lanes."""

    def codegen(context, builder, signature, args):
        lanes = [builder.extract_element(args[0], _index(lane, 32)) for lane in range(LANES)]
        while len(lanes) > 1:
            pairs = zip(lanes[::2], lanes[1::2], strict=True)
            lanes = [builder.select(builder.fcmp_ordered("<", a, b), a, b) for a, b in pairs]
        return lanes[0]

    return types.float64(doubles), codegen


@intrinsic(prefer_literal=True)
def delay(typingctx, vector, lanes, before):
    """Shift each lane up by a literal number of lanes, and fill with the last ones of ``before``."""

    def codegen(context, builder, signature, args):
        count = lanes.literal_value
        return _shuffle(builder, args[0], args[2], [*range(LANES, LANES + count), *range(LANES - count)])

    return doubles(doubles, lanes, doubles), codegen


@intrinsic(prefer_literal=True)
def advance(typingctx, vector, lanes, after):
    """Shift each lane down by a literal number of lanes, and fill with the first ones of ``after``."""

    def codegen(context, builder, signature, args):
        count = lanes.literal_value
        return _shuffle(builder, args[0], args[2], [*range(count, LANES), *range(2 * LANES - count, 2 * LANES)])

    return doubles(doubles, lanes, doubles), codegen


@intrinsic
def larger(typingctx, a, b):
    """Return the maximum in each lane."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return doubles(doubles, doubles), codegen


@intrinsic
def smaller(typingctx, a, b):
    """Return the minimum in each lane."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", *args), *args)

    return doubles(doubles, doubles), codegen


@intrinsic
def truncate(typingctx, vector):
    """Truncate each number to an integer."""

    def codegen(context, builder, signature, args):
        return builder.sitofp(builder.fptosi(args[0], INTEGERS), VECTOR)

    return doubles(doubles), codegen


@intrinsic
def at_least(typingctx, a, b):
    """Return one in the lanes where a ≥ b, and zero in the others."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered(">=", *args), _constant(1.0), _constant(0.0))

    return doubles(doubles, doubles), codegen


@intrinsic
def where(typingctx, mask, a, b):
    """Select ``a`` in the lanes whose mask is not zero, and ``b`` in the others."""

    def codegen(context, builder, signature, args):
        mask, a, b = args
        return builder.select(builder.fcmp_unordered("!=", mask, _constant(0.0)), a, b)

    return doubles(doubles, doubles, doubles), codegen


@intrinsic
def below(typingctx, vector, limit):
    """Return one in the lanes whose magnitude is below the number, and zero in the others."""

    def codegen(context, builder, signature, args):
        limit = _splat(builder, args[1])
        low = builder.fcmp_ordered("<", args[0], limit)
        high = builder.fcmp_ordered("<", builder.fsub(_constant(0.0), args[0]), limit)
        return builder.select(builder.and_(low, high), _constant(1.0), _constant(0.0))

    return doubles(doubles, types.float64), codegen


def _constant(value: float) -> ir.Constant:
    return VECTOR([value] * LANES)


def _splat(builder, value):
    single = builder.insert_element(VECTOR(ir.Undefined), value, _index(0, 32))
    return _shuffle(builder, single, single, [0] * LANES)


def _index(value: int, bits: int = 64) -> ir.Constant:
    return ir.Constant(ir.IntType(bits), value)


def _shuffle(builder, a, b, lanes):
    return builder.shuffle_vector(a, b, ir.VectorType(ir.IntType(32), LANES)(list(lanes)))


def _data(context, builder, signature, args, position: int):
    return context.make_array(signature.args[position])(context, builder, args[position]).data


def _pointers(context, builder, signature, args) -> list:
    """Compute the address of each lane, for the first arguments of ``gather``."""
    data, places = _data(context, builder, signature, args, 0), builder.fptosi(args[1], INTEGERS)
    lanes = [builder.extract_element(places, _index(lane, 32)) for lane in range(LANES)]
    return [builder.gep(data, [builder.add(lane, args[2])]) for lane in lanes]


def _rows(context, builder, signature, args) -> list:
    """Compute the row address of each lane, for the arguments of ``load_rows``."""
    matrix = context.make_array(signature.args[0])(context, builder, args[0])
    length = cgutils.unpack_tuple(builder, matrix.shape)[1]
    _, first, last, n, *_ = args
    rows = [builder.add(first, _index(lane)) for lane in range(LANES)]
    rows = [builder.select(builder.icmp_signed("<", row, last), row, last) for row in rows]
    return [builder.gep(matrix.data, [builder.add(builder.mul(row, length), n)]) for row in rows]


def _samples(context, builder, signature, args) -> list:
    """Compute the address of each sample of all lanes, for the arguments of ``load_rows``."""
    start = builder.mul(args[5], _index(LANES))
    data = _data(context, builder, signature, args, 4)
    return [builder.gep(data, [builder.add(start, _index(i * LANES))]) for i in range(LANES)]


def _load(builder, pointer):
    element = pointer.type.pointee
    vector = builder.load(builder.bitcast(pointer, ir.VectorType(element, LANES).as_pointer()))
    vector.align = _bytes(element)
    if isinstance(element, ir.IntType):  # booleans are bytes
        return builder.uitofp(vector, VECTOR)
    return vector if element == ir.DoubleType() else builder.fpext(vector, VECTOR)


def _store(builder, vector, pointer) -> None:
    element = pointer.type.pointee
    if isinstance(element, ir.IntType):
        vector = builder.fptoui(vector, ir.VectorType(element, LANES))
    elif element != ir.DoubleType():
        vector = builder.fptrunc(vector, ir.VectorType(element, LANES))
    builder.store(vector, builder.bitcast(pointer, vector.type.as_pointer())).align = _bytes(element)


def _bytes(element) -> int:
    return {ir.DoubleType(): 8, ir.FloatType(): 4}.get(element, 1)


def _transpose(builder, rows: list) -> list:
    """Transpose rows to columns, by exchanging ever larger off-diagonal squares."""
    size = 1
    while size < LANES:
        upper = [j if j & size == 0 else j - size + LANES for j in range(LANES)]
        lower = [j + size if j & size == 0 else j + LANES for j in range(LANES)]
        swapped = list(rows)
        for i in range(LANES):
            if i & size == 0:
                swapped[i] = _shuffle(builder, rows[i], rows[i + size], upper)
                swapped[i + size] = _shuffle(builder, rows[i], rows[i + size], lower)
        rows = swapped
        size *= 2
    return rows
