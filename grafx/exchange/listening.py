"""Listening tests: loudness-matched sounds with a configuration for webMUSHRA."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from torch import Tensor

from ..errors import AudioError, ExchangeError
from ..files import locked, replacing
from ..search.loudness import loudness
from ..text import file_name, printable

CONFIG_FILE = "listen.yaml"
ANCHORS = {"anchor35": 3500.0, "anchor70": 7000.0}
"""Name to cutoff in Hz: the low and the middle anchor of the recommendation."""
REFERENCE = "reference"
PEAK = 10 ** (-1 / 20)
"""Largest amplitude: 1 dB below full scale, for what converters make between samples."""
LONGEST, MOST = 12.0, 12
"""Seconds of an excerpt, and conditions with reference and anchors, up to which the recommendation goes."""
RANDOM = "random"
MARKUP = {"'", "&"}
"""What names cannot have besides, as webMUSHRA makes HTML of them."""
INSTRUCTIONS = (
    "Compare each sound with the reference, and rate how much it differs from it, from 100 (not at all) down to 0."
    " One of them is the reference itself: at least one has to be rated 100."
)


@dataclass(frozen=True)
class Condition:
    """A sound of a test.

    Attributes:
        name: Its name.
        path: Its file.
        gain_db: By how much it was made louder to be as loud as the reference, and for no sound to clip.
        lufs: How loud it was before.
    """

    name: str
    path: Path
    gain_db: float
    lufs: float


def write_listening_test(
    sounds: Mapping[str, Tensor], reference: Tensor, sample_rate: int, out: Path, page: str = "mix"
) -> list[Condition]:
    """Write a page of a listening test by the method of ITU-R BS.1534 (MUSHRA), for webMUSHRA.

    All sounds are made as loud as the reference by ITU-R BS.1770, and then all together softer where one would clip.
    The reference is also hidden among them, by webMUSHRA itself, and so are its low-passed versions at 3.5 and 7 kHz.
    A further page is added to a test that is already there, in place of one of the same name.

    Args:
        sounds: Name to a sound ``(2, L)``.
        reference: What they are compared with, of the same shape.
        sample_rate: In Hz.
        out: Folder of the test, which goes into the folder ``configs`` of webMUSHRA under its name.
        page: Name of the page, such as that of the song.

    Returns:
        The conditions, the reference first, the anchors last.

    Raises:
        AudioError: A sound is silent, not finite or of another shape.
        ExchangeError: There are no sounds, names that the test has itself, or the folder has another configuration.

    References:
        Recommendation ITU-R BS.1534-3, "Method for the subjective assessment of intermediate quality level of audio
        systems", 2015. M. Schoeffler et al., "webMUSHRA — a comprehensive framework for web-based listening tests",
        Journal of Open Research Software 6(1), 2018.
    """
    if not sounds:
        raise ExchangeError("There is nothing to compare with the reference: give at least one sound.")
    _check_name(page, "page")
    for name in sounds:
        _check_name(name, "sound")
        if name.lower() in (REFERENCE, *ANCHORS):
            raise ExchangeError(f"'{name}' is what the test calls a sound of its own: name it otherwise.")
    everything = {REFERENCE: reference, **sounds}
    levels = {name: _level(name, sound, reference, sample_rate) for name, sound in everything.items()}
    gains = {name: 10 ** ((levels[REFERENCE] - level) / 20) for name, level in levels.items()}
    matched = {name: gains[name] * sound for name, sound in everything.items()}
    for name, hertz in ANCHORS.items():
        if 1.3 * hertz < sample_rate / 2:
            matched[name] = low_passed(reference, hertz, sample_rate)
    down = min(1.0, PEAK / max(float(sound.abs().max()) for sound in matched.values()))
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        config = _read(out / CONFIG_FILE, out.absolute().name)
        folder = out / "audio" / page
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, sound in matched.items():
            _write_wav(folder / f"{name}.wav", down * sound, sample_rate)
        strict = reference.shape[-1] <= LONGEST * sample_rate and len(matched) <= MOST
        _put_page(config, _page(page, [name for name in matched if name != REFERENCE], out.absolute().name, strict))
        _write(config, out / CONFIG_FILE)
    return [
        Condition(
            name,
            folder / f"{name}.wav",
            20 * math.log10(gains.get(name, 1.0) * down),
            levels[name] if name in levels else loudness(matched[name], sample_rate),
        )
        for name in matched
    ]


def low_passed(signal: Tensor, hertz: float, sample_rate: int) -> Tensor:
    """An anchor: up to a frequency as it is within 0.1 dB, and 60 dB down from 8/7 of that on, where 25 dB would do."""
    from scipy.signal import firwin, oaconvolve

    width = hertz / 7
    count = math.ceil(3.7 * sample_rate / width) | 1
    window: Any = ("kaiser", 5.65)
    taps = np.asarray(firwin(count, hertz + width / 2, window=window, fs=sample_rate))
    return torch.from_numpy(oaconvolve(signal.double().numpy(), taps[None], "same", -1)).to(signal.dtype)


def _check_name(name: str, what: str) -> None:
    if file_name(name) != name or set(name) & MARKUP:
        raise ExchangeError(
            f"The {what} {name!r} cannot be the name of a file on every system, or has ' or & in it, of which webMUSHRA"
            " makes something else: name it otherwise."
        )


def _level(name: str, sound: Tensor, reference: Tensor, sample_rate: int) -> float:
    if sound.shape != reference.shape or sound.ndim != 2:
        raise AudioError(f"'{name}' is of shape {tuple(sound.shape)}, but the reference of {tuple(reference.shape)}.")
    if not sound.isfinite().all():
        raise AudioError(f"'{name}' holds NaN or infinity: repair or export it again.")
    level = loudness(sound, sample_rate)
    if not math.isfinite(level):
        raise AudioError(f"'{name}' is silent there, so that it cannot be as loud as the others: take another excerpt.")
    return level


def _write_wav(path: Path, sound: Tensor, sample_rate: int) -> None:
    """Write integers, which every browser plays."""
    import soundfile

    with replacing(path) as partial:
        soundfile.write(partial, sound.T.numpy(), sample_rate, "PCM_24", format="WAV")


def _page(name: str, conditions: list[str], folder: str, strict: bool) -> dict[str, Any]:
    """A trial; paths count from the root of webMUSHRA."""
    where = f"configs/{quote(folder)}/audio/{quote(name)}"  # browsers take them as addresses
    return {
        "type": "mushra",
        "id": name,
        "name": name,
        "content": INSTRUCTIONS,
        "showWaveform": True,
        "enableLooping": True,
        "strict": strict,
        "reference": f"{where}/{REFERENCE}.wav",
        "createAnchor35": False,  # those beside the sounds are the same in every browser
        "createAnchor70": False,
        "randomize": True,
        "showConditionNames": False,
        "stimuli": {condition: f"{where}/{quote(condition)}.wav" for condition in conditions},
    }


def _put_page(config: dict[str, Any], page: dict[str, Any]) -> None:
    """Add a page in place of one of the same name, and set the volume by the first one."""
    pages = config["pages"]
    trials: list[Any] | None = next((part for part in pages if isinstance(part, list) and part[:1] == [RANDOM]), None)
    if trials is None:
        trials = [RANDOM]
        pages.insert(max(0, len(pages) - 1), trials)
    ids = [trial.get("id") if isinstance(trial, dict) else None for trial in trials]
    if page["id"] in ids:
        trials[ids.index(page["id"])] = page
    else:
        trials.append(page)
    for part in pages:
        if isinstance(part, dict) and part.get("type") == "volume":
            part["stimulus"] = part.get("stimulus") or page["reference"]


def _new(name: str) -> dict[str, Any]:
    return {
        "testname": name,
        "testId": name,
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": True,
        "remoteService": "service/write.php",
        "pages": [
            {
                "type": "volume",
                "id": "volume",
                "name": "Volume",
                "content": "Set a comfortable volume, and leave it there.",
                "stimulus": None,
                "defaultVolume": 0.5,
            },
            {
                "type": "finish",
                "name": "Thank you",
                "content": "Thank you for listening.",
                "showResults": True,
                "writeResults": True,
            },
        ],
    }


def _read(path: Path, name: str) -> dict[str, Any]:
    """The configuration that is there, or a new one."""
    import yaml

    if not path.exists():
        return _new(name)
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise ExchangeError(f"{printable(path)} is no YAML that a page can be added to: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("pages"), list):
        raise ExchangeError(f"{printable(path)} is no configuration of webMUSHRA: give another folder.")
    return config


def _write(config: dict[str, Any], path: Path) -> None:
    import yaml

    with replacing(path) as partial:
        partial.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
