"""Real Fourier transforms of single rows inside compiled kernels, by the MKL that torch is built with.

``torch.fft`` plans each call anew, which for long transforms takes longer than a few rows do, and hands back whole
spectra, which leave the cache. The builds of torch for Linux on x86 processors export the functions of Intel's MKL;
here they are called on plans that are kept, from inside kernels. Where they are missing or turned off by
``GRAFX_MKL=0``, :func:`plan` returns None.

References:
    Intel, "oneMKL Developer Reference for C", chapter "Fourier Transform Functions".
"""

import ctypes
import weakref
from functools import cache, lru_cache

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types

from .intrinsics import intrinsic
from .numba_rows import kernel
from .switches import is_on
from .threads import torch_library

REAL = 33
CREATE = {torch.float32: "DftiCreateDescriptor_s_1d", torch.float64: "DftiCreateDescriptor_d_1d"}
# Complex numbers in the natural order, by the calling thread alone; over the samples, or elsewhere.
SETTINGS = {"CONJUGATE_EVEN_STORAGE": (10, 39), "THREAD_LIMIT": (27, 1)}
PLACEMENT, IN_PLACE, APART = 11, 43, 44


class Plan:
    """Transforms of one length and precision.

    ``handles`` are for :func:`forward`, :func:`forward_from` and :func:`backward`.
    """

    def __init__(self, library: ctypes.CDLL, n: int, dtype: torch.dtype):
        in_place, apart = (self._descriptor(library, n, dtype, placement) for placement in (IN_PLACE, APART))
        addresses = (library.DftiComputeForward, library.DftiComputeBackward)
        self.handles = (in_place, *(ctypes.cast(address, ctypes.c_void_p).value for address in addresses), apart)

    def _descriptor(self, library: ctypes.CDLL, n: int, dtype: torch.dtype, placement: int) -> int | None:
        descriptor = ctypes.c_void_p()
        create = getattr(library, CREATE[dtype])
        create.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long]
        settings = *SETTINGS.values(), (PLACEMENT, placement)
        statuses = [create(ctypes.byref(descriptor), REAL, n)]
        statuses += [library.DftiSetValue(descriptor, code, ctypes.c_long(value)) for code, value in settings]
        statuses.append(library.DftiCommitDescriptor(descriptor))
        weakref.finalize(self, library.DftiFreeDescriptor, ctypes.byref(descriptor))
        if any(statuses):
            raise MemoryError(f"There is no room for transforms of {n:,} samples.")
        return descriptor.value


@lru_cache(maxsize=32)
def plan(n: int, dtype: torch.dtype) -> Plan | None:
    """Return transforms of ``n`` samples, an even number of float32 or float64, or ``None`` if unsupported."""
    library = _library()
    return None if library is None or dtype not in CREATE else Plan(library, n, dtype)


@cache
def _library() -> ctypes.CDLL | None:
    """The library of torch, if its transforms are wanted, there, and do what is expected of them."""
    library = torch_library() if is_on("MKL") else None
    if library is None or not hasattr(library, "DftiComputeForward"):
        return None
    transforms, spectrum = Plan(library, 8, torch.float64), np.zeros(10)
    spectrum[1] = 1
    _transform(transforms.handles, spectrum)
    return library if np.allclose(spectrum.view(complex), np.exp(-2j * np.pi * np.arange(5) / 8)) else None


@intrinsic
def _compute(typingctx, address, descriptor, array):
    """Call the function at an address with a plan and the data of an array."""

    def codegen(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()
        function = ir.FunctionType(ir.IntType(64), [pointer, pointer]).as_pointer()
        data = context.make_array(signature.args[2])(context, builder, args[2]).data
        arguments = builder.inttoptr(args[1], pointer), builder.bitcast(data, pointer)
        return builder.call(builder.inttoptr(args[0], function), arguments)

    return types.int64(types.int64, types.int64, array), codegen


@intrinsic
def _compute_apart(typingctx, address, descriptor, source, target):
    """Call the function at an address with a plan and the data of two arrays."""

    def codegen(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()
        function = ir.FunctionType(ir.IntType(64), [pointer] * 3).as_pointer()
        arrays = [context.make_array(signature.args[i])(context, builder, args[i]).data for i in (2, 3)]
        arguments = [builder.inttoptr(args[1], pointer), *(builder.bitcast(data, pointer) for data in arrays)]
        return builder.call(builder.inttoptr(args[0], function), arguments)

    return types.int64(types.int64, types.int64, source, target), codegen


@njit(error_model="numpy")
def forward(handles, samples):
    """Transform n samples, followed by two arbitrary values, in place to n / 2 + 1 complex numbers."""
    if _compute(handles[1], handles[0], samples) != 0:
        raise MemoryError("A Fourier transform failed.")


@njit(error_model="numpy")
def forward_from(samples, handles, spectrum):
    """Transform n contiguous samples, which are kept, to n / 2 + 1 complex numbers."""
    if _compute_apart(handles[1], handles[3], samples, spectrum) != 0:
        raise MemoryError("A Fourier transform failed.")


@njit(error_model="numpy")
def backward(handles, spectrum):
    """Transform n / 2 + 1 complex numbers in place to n samples scaled by n, followed by two arbitrary values."""
    if _compute(handles[2], handles[0], spectrum) != 0:
        raise MemoryError("A Fourier transform failed.")


@kernel
def _transform(handles, samples):
    forward(handles, samples)
