"""Vectors of eight float64 numbers inside numba kernels.

Numba compiles loops with loop-carried numbers, such as recursions, to scalar code. Here the vectors are explicit: a
variable of type ``doubles`` holds eight numbers, in one register or in as many smaller ones as needed. Arrays must be
contiguous and in order.

``GRAFX_VECTORS=0`` makes eight scalars of each, see :mod:`.lanes_scalar`.
"""

import operator
from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, overload, register_model

from .intrinsics import intrinsic
from .lanes_scalar import DOUBLE, LANES
from .switches import is_on

if is_on("VECTORS"):
    from . import lanes_vector as vectors
else:
    from . import lanes_scalar as vectors

INTEGER = ir.IntType(64)
ZERO, ONE = vectors.constant([0.0] * LANES), vectors.constant([1.0] * LANES)
CONTRACT = ("contract",)  # a product and the sum that it goes into may be rounded once


class Doubles(types.Type):
    def __init__(self) -> None:
        super().__init__(name="doubles")


doubles = Doubles()


@register_model(Doubles)
class DoublesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        super().__init__(dmm, fe_type, vectors.TYPE)


def _arithmetic(instruction: str, *symbols) -> None:
    @intrinsic
    def apply(typingctx, a, b):
        def codegen(context, builder, signature, args):
            return vectors.each(builder, lambda a, b: getattr(builder, instruction)(a, b, flags=CONTRACT), *args)

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
        return vectors.splat(builder, args[0])

    return doubles(types.float64), codegen


@intrinsic
def hidden_zeros(typingctx):
    """Return zero in all lanes, opaque to the compiler, which would load constants by a slow instruction."""

    def codegen(context, builder, signature, args):
        zero = builder.asm(ir.FunctionType(INTEGER, [INTEGER]), "", "=r,0", [INTEGER(0)], side_effect=False)
        return vectors.splat(builder, builder.bitcast(zero, DOUBLE))

    return doubles(), codegen


@intrinsic
def load(typingctx, array, n):
    """Load eight numbers of a contiguous array, from flat index n on."""

    def codegen(context, builder, signature, args):
        return vectors.read(builder, builder.gep(_data(context, builder, signature, args, 0), [args[1]]))

    return doubles(array, types.intp), codegen


@intrinsic
def store(typingctx, array, n, vector):
    """Store to a contiguous array, from flat index n on."""

    def codegen(context, builder, signature, args):
        vectors.write(builder, args[2], builder.gep(_data(context, builder, signature, args, 0), [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, doubles), codegen


@intrinsic
def ramp(typingctx, n):
    """Return n, n + 1, … in the lanes."""

    def codegen(context, builder, signature, args):
        first = vectors.splat(builder, builder.sitofp(args[0], DOUBLE))
        return vectors.each(builder, builder.fadd, first, vectors.constant(range(LANES)))

    return doubles(types.intp), codegen


@intrinsic
def gather(typingctx, array, places, offset):
    """Load numbers of a contiguous array at any flat indices within it: array[places + offset]."""

    def codegen(context, builder, signature, args):
        numbers = [builder.load(pointer) for pointer in _pointers(context, builder, signature, args)]
        vector = vectors.join(builder, numbers)
        return vector if numbers[0].type == DOUBLE else _converted(builder, builder.fpext, vector, DOUBLE)

    return doubles(array, doubles, types.intp), codegen


@intrinsic
def scatter_add(typingctx, array, places, offset, vector):
    """Add to a contiguous array of float64 at any flat indices within it, which may repeat."""

    def codegen(context, builder, signature, args):
        pointers = _pointers(context, builder, signature, args)
        for number, pointer in zip(vectors.lanes(builder, args[3]), pointers, strict=True):
            builder.store(builder.fadd(builder.load(pointer), number), pointer)
        return context.get_dummy_value()

    return types.void(array, doubles, types.intp, doubles), codegen


@intrinsic
def load_rows(typingctx, matrix, first, last, n, block, m):
    """Load with rows as lanes: block[m + i, l] = matrix[min(first + l, last), n + i] for i and l below 8."""

    def codegen(context, builder, signature, args):
        rows = [vectors.read(builder, pointer) for pointer in _rows(context, builder, signature, args)]
        for column, pointer in zip(_transpose(builder, rows), _samples(context, builder, signature, args), strict=True):
            vectors.write(builder, column, pointer)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, types.intp, block, types.intp), codegen


@intrinsic
def store_rows(typingctx, matrix, first, last, n, block, m):
    """Store, the inverse of ``load_rows``. Lanes of the same row must agree."""

    def codegen(context, builder, signature, args):
        columns = [vectors.read(builder, pointer) for pointer in _samples(context, builder, signature, args)]
        for row, pointer in zip(_transpose(builder, columns), _rows(context, builder, signature, args), strict=True):
            vectors.write(builder, row, pointer)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, types.intp, block, types.intp), codegen


def _lane(number: int):
    @intrinsic
    def take(typingctx, vector):
        def codegen(context, builder, signature, args):
            return vectors.lanes(builder, args[0])[number]

        return types.float64(doubles), codegen

    return take


first, last = _lane(0), _lane(LANES - 1)


@intrinsic
def total(typingctx, vector):
    """Sum all lanes."""

    def codegen(context, builder, signature, args):
        lanes = vectors.lanes(builder, args[0])
        while len(lanes) > 1:
            lanes = [builder.fadd(a, b) for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
        return lanes[0]

    return types.float64(doubles), codegen


@intrinsic
def least(typingctx, vector):
    """Return the minimum of all lanes."""

    def codegen(context, builder, signature, args):
        lanes = vectors.lanes(builder, args[0])
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
        return vectors.shuffle(builder, args[0], args[2], [*range(LANES, LANES + count), *range(LANES - count)])

    return doubles(doubles, lanes, doubles), codegen


@intrinsic(prefer_literal=True)
def advance(typingctx, vector, lanes, after):
    """Shift each lane down by a literal number of lanes, and fill with the first ones of ``after``."""

    def codegen(context, builder, signature, args):
        count = lanes.literal_value
        return vectors.shuffle(builder, args[0], args[2], [*range(count, LANES), *range(2 * LANES - count, 2 * LANES)])

    return doubles(doubles, lanes, doubles), codegen


@intrinsic
def larger(typingctx, a, b):
    """Return the maximum in each lane."""

    def codegen(context, builder, signature, args):
        return vectors.each(builder, lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b), *args)

    return doubles(doubles, doubles), codegen


@intrinsic
def smaller(typingctx, a, b):
    """Return the minimum in each lane."""

    def codegen(context, builder, signature, args):
        return vectors.each(builder, lambda a, b: builder.select(builder.fcmp_ordered("<", a, b), a, b), *args)

    return doubles(doubles, doubles), codegen


@intrinsic
def truncate(typingctx, vector):
    """Truncate each number to an integer."""

    def codegen(context, builder, signature, args):
        return _converted(builder, builder.sitofp, _converted(builder, builder.fptosi, args[0], INTEGER), DOUBLE)

    return doubles(doubles), codegen


@intrinsic
def at_least(typingctx, a, b):
    """Return one in the lanes where a ≥ b, and zero in the others."""

    def codegen(context, builder, signature, args):
        def compare(a, b, one, zero):
            return builder.select(builder.fcmp_ordered(">=", a, b), one, zero)

        return vectors.each(builder, compare, *args, ONE, ZERO)

    return doubles(doubles, doubles), codegen


@intrinsic
def where(typingctx, mask, a, b):
    """Select ``a`` in the lanes whose mask is not zero, and ``b`` in the others."""

    def codegen(context, builder, signature, args):
        def choose(mask, a, b, zero):
            return builder.select(builder.fcmp_unordered("!=", mask, zero), a, b)

        return vectors.each(builder, choose, *args, ZERO)

    return doubles(doubles, doubles, doubles), codegen


@intrinsic
def below(typingctx, vector, limit):
    """Return one in the lanes whose magnitude is below the number, and zero in the others."""

    def codegen(context, builder, signature, args):
        def compare(number, limit, one, zero):
            low = builder.fcmp_ordered("<", number, limit)
            high = builder.fcmp_ordered("<", builder.fsub(zero, number), limit)
            return builder.select(builder.and_(low, high), one, zero)

        return vectors.each(builder, compare, args[0], vectors.splat(builder, args[1]), ONE, ZERO)

    return doubles(doubles, types.float64), codegen


def _converted(builder, conversion: Callable, vector, element: ir.Type):
    return vectors.each(builder, lambda numbers: conversion(numbers, vectors.of(element)), vector)


def _data(context, builder, signature, args, position: int):
    return context.make_array(signature.args[position])(context, builder, args[position]).data


def _pointers(context, builder, signature, args) -> list:
    """Where each lane is, for the first arguments of ``gather``."""
    data = _data(context, builder, signature, args, 0)
    places = _converted(builder, builder.fptosi, args[1], INTEGER)
    return [builder.gep(data, [builder.add(lane, args[2])]) for lane in vectors.lanes(builder, places)]


def _rows(context, builder, signature, args) -> list:
    """Compute the row address of each lane, for the arguments of ``load_rows``."""
    matrix = context.make_array(signature.args[0])(context, builder, args[0])
    length = cgutils.unpack_tuple(builder, matrix.shape)[1]
    _, first, last, n, *_ = args
    rows = [builder.add(first, INTEGER(lane)) for lane in range(LANES)]
    rows = [builder.select(builder.icmp_signed("<", row, last), row, last) for row in rows]
    return [builder.gep(matrix.data, [builder.add(builder.mul(row, length), n)]) for row in rows]


def _samples(context, builder, signature, args) -> list:
    """Where each sample of all lanes is, for the arguments of ``load_rows``."""
    start = builder.mul(args[5], INTEGER(LANES))
    data = _data(context, builder, signature, args, 4)
    return [builder.gep(data, [builder.add(start, INTEGER(i * LANES))]) for i in range(LANES)]


def _transpose(builder, rows: list) -> list:
    """Transpose rows to columns, by exchanging ever larger off-diagonal squares."""
    size = 1
    while size < LANES:
        upper = [j if j & size == 0 else j - size + LANES for j in range(LANES)]
        lower = [j + size if j & size == 0 else j + LANES for j in range(LANES)]
        swapped = list(rows)
        for i in range(LANES):
            if i & size == 0:
                swapped[i] = vectors.shuffle(builder, rows[i], rows[i + size], upper)
                swapped[i + size] = vectors.shuffle(builder, rows[i], rows[i + size], lower)
        rows = swapped
        size *= 2
    return rows
