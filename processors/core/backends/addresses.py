"""Arrays at addresses inside compiled kernels, which cost nothing to hand over where there are many.

Whoever hands over an address keeps the tensor, and knows its size.
"""

from numba import carray, types  # pyright: ignore[reportPrivateImportUsage]

from .intrinsics import intrinsic
from .numba_rows import inline


@inline
def row_at(address, row, size, like):
    """A row of an array (rows, size) at an address, of the type of another."""
    return carray(pointer(address + row * size * like.itemsize), (size,), like.dtype)


@intrinsic
def pointer(typingctx, address):
    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), codegen
