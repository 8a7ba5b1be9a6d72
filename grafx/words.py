"""Numbers in messages."""

from collections import Counter
from collections.abc import Iterable


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number with its noun: ``"1 processor"``, ``"2 processors"``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def signed(number: float, digits: int) -> str:
    """Format with a sign, unless all digits are zero: ``"+1.5"``, ``"0.0"``."""
    text = f"{number:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def tally(names: Iterable[object], most: int = 8) -> str:
    """How often each occurs, in the order of first occurrence, the first ``most`` of them: ``"2 in, 1 mix, 1 out"``."""
    counts = Counter(names)
    shown = [f"{number} {name}" for name, number in counts.items()][:most]
    return ", ".join([*shown, "…"] if len(counts) > most else shown)


def duration(seconds: float) -> str:
    """Format a time: ``"12 s"``, ``"3 min 5 s"``, ``"2 h 10 min"``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def clock(seconds: float | None) -> str:
    """Format a time as it is shown while it passes: ``"0:12"``, ``"1:02:03"``, and ``"–:––"`` where it is not known."""
    if seconds is None:
        return "–:––"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
