"""Elementary functions and sums in single precision, in a form that compilers vectorize.

Functions are within two units in the last place. Numba calls a library for each number, which takes ten times as long.

References:
    Polynomials, S. L. Moshier, "Methods and Programs for Mathematical Functions", Ellis Horwood, 1989 (Cephes).
"""

import math

import numpy as np
from llvmlite import ir
from numba import types

from .intrinsics import intrinsic
from .numba_rows import inline

FLOAT, INTEGER = ir.FloatType(), ir.IntType(32)
LOWEST, HIGHEST = -87.33654, 88.37626  # of normal results
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
ROUNDING = 1.5 * 2**23  # added to a small number, leaves the nearest integer in the lowest bits
ONE, ROOT_HALF, FRACTION = 0x3F800000, 0x3F3504F3, 0x007FFFFF  # bits of 1 and √½, and of a fraction


TANH = -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1
STRAIGHT = np.float32(0.625)  # up to where the polynomial of the hyperbolic tangent is used
A, B, C, D, E = map(np.float32, TANH)
ZERO, UNIT, DOUBLE = np.float32(0), np.float32(1), np.float32(2)


@intrinsic
def exp32(typingctx, x):
    """Compute e^x; 0 below the normal numbers."""

    def codegen(context, builder, signature, args):
        (x,) = args
        bounded = builder.select(builder.fcmp_ordered(">", x, FLOAT(LOWEST)), x, FLOAT(LOWEST))
        bounded = builder.select(builder.fcmp_ordered("<", bounded, FLOAT(HIGHEST)), bounded, FLOAT(HIGHEST))
        rounded = builder.fadd(_times(builder, bounded, 1 / math.log(2)), FLOAT(ROUNDING))
        power = builder.fsub(rounded, FLOAT(ROUNDING))
        rest = builder.fsub(bounded, _times(builder, power, LN2_HIGH))
        rest = builder.fsub(rest, _times(builder, power, LN2_LOW))
        curved = builder.fmul(_polynomial(builder, rest, EXP), builder.fmul(rest, rest))
        value = builder.fadd(builder.fadd(curved, rest), FLOAT(1.0))
        bits = builder.add(builder.shl(builder.bitcast(rounded, INTEGER), INTEGER(23)), INTEGER(ONE))
        value = builder.fmul(value, builder.bitcast(bits, FLOAT))
        value = builder.select(builder.fcmp_ordered("<", x, FLOAT(LOWEST)), FLOAT(0.0), value)
        value = builder.select(builder.fcmp_ordered(">", x, FLOAT(HIGHEST)), FLOAT(math.inf), value)
        return builder.select(builder.fcmp_unordered("uno", x, x), x, value)

    return types.float32(types.float32), codegen


@intrinsic
def log32(typingctx, x):
    """Compute ln x of a positive normal number; infinity and what is not a number remain as they are."""

    def codegen(context, builder, signature, args):
        (x,) = args
        bits = builder.sub(builder.bitcast(x, INTEGER), INTEGER(ROOT_HALF))
        power = builder.sitofp(builder.ashr(bits, INTEGER(23)), FLOAT)
        fraction = builder.add(builder.and_(bits, INTEGER(FRACTION)), INTEGER(ROOT_HALF))
        f = builder.fsub(builder.bitcast(fraction, FLOAT), FLOAT(1.0))
        square = builder.fmul(f, f)
        value = builder.fmul(builder.fmul(_polynomial(builder, f, LOG), square), f)
        value = builder.fadd(value, _times(builder, power, LN2_LOW))
        value = builder.fsub(value, _times(builder, square, 0.5))
        value = builder.fadd(builder.fadd(value, f), _times(builder, power, LN2_HIGH))
        return builder.select(builder.fcmp_ordered("<", x, FLOAT(math.inf)), value, x)

    return types.float32(types.float32), codegen


@inline
def tanh32(x):
    """Compute tanh x."""
    size = abs(x)
    square = x * x
    near = ((((A * square + B) * square + C) * square + D) * square + E) * square * x + x
    far = UNIT - DOUBLE / (exp32(DOUBLE * size) + UNIT)
    return near if size < STRAIGHT else (-far if x < np.float32(0) else far)


# Comparisons are such that what is not a number remains so.


@inline
def positive(x):
    return ZERO if x < ZERO else x


@inline
def clipped(t):
    c = ZERO if t < ZERO else t
    return UNIT if c > UNIT else c


@inline
def total(values):
    """Sum in lanes, which compilers do not do by themselves, as it changes the rounding."""
    lanes = np.zeros(8, np.float32)
    whole = values.size // 8 * 8
    for n in range(0, whole, 8):
        for lane in range(8):
            lanes[lane] += values[n + lane]
    rest = np.float64(0.0)
    for n in range(whole, values.size):
        rest += values[n]
    for lane in range(8):
        rest += lanes[lane]
    return rest


def _times(builder, value, factor: float):
    return builder.fmul(value, FLOAT(factor))


def _polynomial(builder, x, coefficients: tuple[float, ...]):
    value = FLOAT(coefficients[0])
    for coefficient in coefficients[1:]:
        value = builder.fadd(builder.fmul(value, x, flags=("contract",)), FLOAT(coefficient), flags=("contract",))
    return value
