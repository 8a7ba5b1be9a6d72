"""Words for numbers."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """How many there are: ``"1 processor"``, ``"2 processors"``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
