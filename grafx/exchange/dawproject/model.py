"""What a DAWproject has of a mixer: channels, their devices, and how they feed each other."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

Gains = tuple[float, float]
"""Amplitudes by which the left and the right channel are scaled."""

UNITY: Gains = (1.0, 1.0)
REGULAR, SUBMIX, EFFECT, MASTER = "regular", "submix", "effect", "master"
EQUALIZER, COMPRESSOR, GATE, LIMITER = "Equalizer", "Compressor", "NoiseGate", "Limiter"
BUILT_IN = (EQUALIZER, COMPRESSOR, GATE, LIMITER)


@dataclass
class Band:
    """A filter of an equalizer.

    Attributes:
        kind: ``"bell"``, ``"lowShelf"``, ``"highShelf"``, ``"highPass"``, ``"lowPass"``, ``"bandPass"`` or ``"notch"``.
        hertz: Its frequency.
        db: Its gain; of the three that have one.
        q: Its quality factor.
        order: That of a pass filter.
        enabled: Whether it is heard.
    """

    kind: str
    hertz: float
    db: float = 0.0
    q: float = 0.5**0.5
    order: int = 2
    enabled: bool = True


@dataclass
class Device:
    """A device in a channel.

    Attributes:
        kind: One of :data:`BUILT_IN`, or the element of another device.
        name: What people call it.
        values: Its settings by the names of our controls, such as ``threshold_db``; gains before and behind it are
            ``input_db`` and ``output_db``.
        bands: Those of an equalizer.
        enabled: Whether it is on.
        problems: Why it, or a part of it, cannot be carried over.
    """

    kind: str
    name: str
    values: dict[str, float] = field(default_factory=dict)
    bands: list[Band] = field(default_factory=list)
    enabled: bool = True
    problems: list[str] = field(default_factory=list)


@dataclass
class Send:
    """A copy of a channel's signal to another channel, before or behind its fader.

    Attributes:
        to: The other channel.
        gains: Its level.
        pre: Whether it is taken before the fader.
        is_node: Whether a node stands for its level, even where that changes nothing.
    """

    to: "Channel"
    gains: Gains
    pre: bool
    is_node: bool = False


@dataclass
class Clip:
    """Audio on a track.

    Attributes:
        path: The file inside the archive.
        start: When it begins, in seconds.
        offset: From which second of the file on.
        seconds: How long it lasts; ``None`` to the end of the file.
        fade_in: Seconds of a linear fade.
        fade_out: Likewise.
    """

    path: str
    start: float = 0.0
    offset: float = 0.0
    seconds: float | None = None
    fade_in: float = 0.0
    fade_out: float = 0.0


@dataclass(eq=False)
class Channel:
    """A track of the mixer: its sound goes through devices, then through a fader, to another channel.

    Attributes:
        name: Its name.
        role: One of :data:`REGULAR`, :data:`SUBMIX`, :data:`EFFECT` and :data:`MASTER`.
        audio: What it plays while it is made, ``(2, L)``.
        clips: What it plays in the file.
        devices: In the order of the signal.
        gains: Its fader, and its pan as a balance.
        is_node: Whether a node stands for its fader, even where that changes nothing.
        to: Where it goes; ``None`` for the master.
        sends: Where copies go.
        muted: Whether it is silent.
    """

    name: str
    role: str = REGULAR
    audio: Tensor | None = None
    clips: list[Clip] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    gains: Gains = UNITY
    is_node: bool = False
    to: "Channel | None" = None
    sends: list[Send] = field(default_factory=list)
    muted: bool = False

    def feeds(self) -> Iterator["Channel"]:
        """The channels that hear it."""
        if self.to is not None:
            yield self.to
        for send in self.sends:
            yield send.to


@dataclass
class Project:
    """Channels, each after those that it hears.

    Attributes:
        channels: All of them.
        title: Of the song.
        left_out: What a file has besides, in words.
    """

    channels: list[Channel]
    title: str = ""
    left_out: list[str] = field(default_factory=list)


def times(gains: Gains, others: Gains) -> Gains:
    """Gains in series."""
    return gains[0] * others[0], gains[1] * others[1]


def fader_of(gains: Gains) -> tuple[float, float]:
    """The volume, an amplitude, and the pan, from 0 (left) to 1, of gains: a balance that lowers one side."""
    left, right = gains
    volume = max(gains)
    if volume <= 0:
        return 0.0, 0.5
    return volume, 0.5 + (right - left) / (2 * volume)


def gains_of(volume: float, pan: float) -> Gains:
    """The inverse of :func:`fader_of`."""
    return volume * min(1.0, 2 * (1 - pan)), volume * min(1.0, 2 * pan)
