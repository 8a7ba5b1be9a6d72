"""Seeds that follow from others."""

from hashlib import sha256


def seed_of(*key: object) -> int:
    """A seed below 2**63 for a purpose, the same on every machine; another key gives an independent one."""
    digest = sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
