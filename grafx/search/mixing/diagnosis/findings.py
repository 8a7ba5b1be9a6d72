"""What is known about stems and their mix before a search."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StemDiagnosis:
    """Findings about a stem; ``None`` if unknown.

    Attributes:
        name: Name of the stem.
        in_mix: Whether the mix contains it.
        delay_ms: Delay in the mix relative to the stem.
        inverted: Whether its polarity is inverted in the mix.
        gain_db: Gain of the least-squares fit of all stems to the mix, after correction of delays and polarities.
    """

    name: str
    in_mix: bool | None = None
    delay_ms: float | None = None
    inverted: bool | None = None
    gain_db: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Findings about stems and a mix.

    Attributes:
        stems: One for each.
        unexplained: Share of the energy of the mix that filters of the stems of about 0.7 s do not explain; ``None``
            if the audio is too short.
        notes: Problems, in sentences; empty if there are none.
        clipped: Number of samples of the mix that are cut off at its peaks, of both channels.
    """

    stems: list[StemDiagnosis]
    unexplained: float | None
    notes: list[str]
    clipped: int = 0
