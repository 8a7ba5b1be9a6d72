"""Words for numbers."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """How many there are: ``"1 processor"``, ``"2 processors"``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def signed(number: float, digits: int) -> str:
    """With a sign, unless no digit but zeros is left: ``"+1.5"``, ``"0.0"``."""
    text = f"{number:+.{digits}f}"
    return text[1:] if float(text) == 0 else text
