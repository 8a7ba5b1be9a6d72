"""Former import path of :mod:`grafx.processors.arguments`."""

from ..arguments import bind, check_option, check_optional

__all__ = ["bind", "check_option", "check_optional"]
