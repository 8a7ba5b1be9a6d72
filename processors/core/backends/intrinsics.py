"""What makes functions of kernels that write instructions for LLVM themselves.

Numba has no types, so checkers take its decorator to leave a function as it is. Kernels call it without the first
argument.
"""

from collections.abc import Callable
from typing import Any

from numba import extending

intrinsic: Callable[..., Any] = extending.intrinsic
