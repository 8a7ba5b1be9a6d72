"""Lengths given in samples or in seconds."""

import math

from ..errors import ParameterError


def samples_of(num_samples: int, seconds: float | None, sample_rate: float, name: str) -> int:
    """Return a length in samples: the given number, or the nearest number to a time.

    Args:
        num_samples: Used if there is no time.
        seconds: The time, or ``None``.
        sample_rate: Samples per second.
        name: Name of the option for the time, for messages.

    Raises:
        ParameterError: The time is shorter than a sample, or not finite.
    """
    if seconds is None:
        return num_samples
    if not (math.isfinite(seconds) and round(seconds * sample_rate) >= 1):
        raise ParameterError(f"{name} must be a time of at least one sample, 1/{sample_rate:g} s, not {seconds!r}.")
    return round(seconds * sample_rate)
