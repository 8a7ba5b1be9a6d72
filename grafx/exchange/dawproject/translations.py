"""What stands for a node in a channel: gains, a device, or neither."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...processors import Send
from ...processors.dynamics.base import KeyedGain
from ...text import file_name
from ..carried import How
from ..distance import level_of_difference
from ..parts import Part, heard
from .devices import device_of, played, short_name
from .fit import WORST_DB, WORST_FIRST_DB, fitted_compressor, fitted_equalizer, impulse_response, probe
from .model import GATE, UNITY, Device, Gains

EXACT_DB, FITTED_DB = -90.0, -12.0
"""Distances up to which a device is what it stands for, and up to which it may stand for it."""


@dataclass
class Translation:
    """What stands for a node: gains, a device, or neither, and then it is recorded.

    Attributes:
        gains: Those of a fader.
        device: A device.
        how: As in :class:`.Carried`.
        distance_db: Likewise.
        note: Likewise.
        echoes: Whether it is a reverb or a delay, beside which the dry sound is worth keeping.
    """

    gains: Gains | None = None
    device: Device | None = None
    how: How = "exact"
    distance_db: float | None = None
    note: str = ""
    echoes: bool = False


@dataclass
class Translator:
    """Finds what stands for nodes.

    Attributes:
        sounds: Those of all nodes that are needed, by id.
        sample_rate: In Hz.
        responses: Name to the impulse response of what is linear and recorded, which it adds.
    """

    sounds: Mapping[int, Sequence[Tensor]]
    sample_rate: int
    responses: dict[str, Tensor]

    def of(self, part: Part, is_first: bool) -> Translation:
        """What stands for a node, the first one behind the audio of a track or another."""
        if isinstance(part.processor, Send):
            return Translation(gains=UNITY, note="the signal passes, and its copy is a send")
        if part.wet == 0 and part.passes_dry:
            return Translation(gains=UNITY, note="it is bypassed")
        if len(part.inlets) > 1:
            return Translation(how="rendered", note="another signal drives it, for which the format has no place")
        signal, ours = stereo(heard(part, self.sounds)[0]), stereo(self.sounds[part.id][0])
        if (found := self._as_settings(part, signal, ours)) is not None:
            return found
        if isinstance(part.processor, KeyedGain):
            return Translation(how="rendered", note="its gain follows the level in another way")
        response = probe(part)
        if (gains := response.gains) is not None:
            away = level_of_difference(torch.tensor(gains)[:, None] * signal, ours)
            if away < EXACT_DB:
                return Translation(gains=gains, distance_db=away)
        magnitudes = response.magnitudes(self.sample_rate)
        device, error = None, 0.0
        if magnitudes is not None:
            device, error = fitted_equalizer(magnitudes, signal, self.sample_rate, short_name(part))
        if device is not None and error < (WORST_FIRST_DB if is_first else WORST_DB):
            away = level_of_difference(played(device, signal, self.sample_rate), ours)
            return Translation(None, device, "fitted", away, f"within {error:.2g} dB by magnitude, in another phase")
        found = Translation(how="rendered", echoes=response.echoes(self.sample_rate))
        return found if response.responses is None else self._response_kept(part, found)

    def _as_settings(self, part: Part, signal: Tensor, ours: Tensor) -> Translation | None:
        """A device of the kind of a node, at its settings or at others."""
        device = device_of(part)
        if device is not None and (part.wet == 1 or device.kind == GATE):
            found = self._measured(device, signal, ours)
            if found.how == "exact":
                return found
        else:
            found = None
        if (compressor := fitted_compressor(part, signal, short_name(part))) is not None:
            note = f"for its share of {part.wet:.2g}" if part.wet < 1 else ""
            other = self._measured(compressor, signal, ours, note)
            if found is None or (other.distance_db or 0) < (found.distance_db or 0):
                found = other
        return found

    def _measured(self, device: Device, signal: Tensor, ours: Tensor, note: str = "") -> Translation:
        """A device, where it is near enough to a node."""
        away = level_of_difference(played(device, signal, self.sample_rate), ours)
        if away > FITTED_DB:
            return Translation(how="rendered", distance_db=away, note=f"a {device.kind} would differ by {away:.1f} dB")
        return Translation(device=device, how="exact" if away < EXACT_DB else "fitted", distance_db=away, note=note)

    def _response_kept(self, part: Part, found: Translation) -> Translation:
        """Keep the impulse response of what is recorded and linear."""
        name = f"impulse responses/{file_name(f'{part.id} {short_name(part)}')}.wav"
        self.responses[name] = impulse_response(part, self.sample_rate)
        return replace(found, note=f"its impulse response is {name}")


def stereo(signal: Tensor) -> Tensor:
    """A mono sound on both channels."""
    return signal.expand(2, -1) if signal.shape[0] == 1 else signal
