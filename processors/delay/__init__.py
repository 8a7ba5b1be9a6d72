"""Delays and echoes."""

from .delay import DelayLine, MultitapDelay
from .echo import FeedbackDelay, PingPongDelay

__all__ = [
    "DelayLine",
    "FeedbackDelay",
    "MultitapDelay",
    "PingPongDelay",
]
