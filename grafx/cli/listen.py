"""``grafx listen``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from rich.table import Column
from torch import Tensor

from ..audio import conform, read_audio
from ..errors import AudioError, ExchangeError, SearchError
from ..exchange.listening import (
    ANCHORS,
    CONFIG_FILE,
    LONGEST,
    MARKUP,
    MOST,
    REFERENCE,
    Condition,
    write_listening_test,
)
from ..files import GRAPH_FILE
from ..search import render_mix
from ..text import file_name, printable
from ..words import count, signed
from .config import CONFIG_FILE as CONFIG
from .config import read_config
from .estimated import level_of
from .material import ROUNDED, span_text
from .options import refuse_missing
from .outputs import check_folder
from .progress import shown_progress
from .sources import find_sources
from .stems import stem_names
from .tables import print_table
from .terminal import notice, say

MIX = "mix.wav"


def listening_test(
    paths: Sequence[Path],
    reference: Path,
    out: Path,
    page: str | None = None,
    start: float | None = None,
    end: float | None = None,
    stem_paths: Sequence[Path] = (),
) -> list[Condition]:
    """Write a page of a listening test.

    Args:
        paths: Audio files, and folders of graphs: their saved mixes, or where there are none, or stems are given,
            what the graphs make of the stems.
        reference: Audio file.
        out: Folder of the test.
        page: Name of the page.
        start: Where the excerpt begins, in seconds of the song; mixes of excerpts lie where they are in it.
        end: Where it ends.
        stem_paths: Audio files for the graphs.
    """
    check_folder(out, ExchangeError)
    signal, rate = read_audio(reference, notice)
    target = conform(signal, rate, rate, printable(reference), notice)
    sounds = {REFERENCE: (target, _begin(reference, rate))}
    with shown_progress("reading the sounds") as show:
        for place, (name, path) in enumerate(zip(_names(paths), paths, strict=True)):
            show("mixing and reading sounds", place, len(paths), printable(name))
            sounds[name] = _sound(path, rate, stem_paths)
    cut = _cut(sounds, rate, start, end)
    target = cut.pop(REFERENCE)
    found = write_listening_test(cut, target, rate, out, page or _plain(reference.stem, "mix"))
    if target.shape[-1] > LONGEST * rate:
        seconds = target.shape[-1] / rate
        notice(f"The excerpt lasts {seconds:.1f} s; the recommendation takes up to {LONGEST:g} s: give --start, --end.")
    if len(found) > MOST:
        notice(f"The page has {count(len(found), 'sound')}; the recommendation takes up to {MOST}.")
    return found


def print_test(conditions: Sequence[Condition], out: Path) -> None:
    """Print what was written."""
    rows = [
        (printable(each.name), f"{signed(each.lufs, 1)} LUFS", f"{signed(each.gain_db, 1)} dB") for each in conditions
    ]
    numbers = (Column(header, justify="right") for header in ("was", "changed by"))
    print_table("Sounds, equally loud", ("sound", *numbers), rows)
    address = f"?config={quote(out.absolute().name)}/{CONFIG_FILE}"
    say(f"Wrote {out / CONFIG_FILE}. In the folder configs of webMUSHRA, it is {address}.")


def _names(paths: Sequence[Path]) -> list[str]:
    """Names that no two have, nor the test itself."""
    names = [_plain(name, "sound") for name in stem_names([path.absolute() for path in paths])]
    names = [f"{name}-sound" if name.lower() in (REFERENCE, *ANCHORS) else name for name in names]
    return stem_names([Path(f"{name}.wav") for name in names])


def _plain(name: str, otherwise: str) -> str:
    """A name without what no file, or no sound of webMUSHRA, may be called by."""
    return "".join("_" if each in MARKUP else each for each in file_name(name, otherwise))


def _cut(
    sounds: Mapping[str, tuple[Tensor, int]], rate: int, start: float | None, end: float | None
) -> dict[str, Tensor]:
    """The part of a song that is asked for, of sounds with the samples at which they begin in it.

    Raises:
        AudioError: They do not all have it.
    """
    first = max(begin for _, begin in sounds.values())
    last = min(begin + sound.shape[-1] for sound, begin in sounds.values())
    asked = first if start is None else round(start * rate), last if end is None else round(end * rate)
    if not first <= asked[0] < min(asked[1], last) or asked[1] > last + ROUNDED * rate:
        wanted = f"The excerpt {span_text(asked[0] / rate, asked[1] / rate)} is not in all of them"
        common = f"what all have is {span_text(first / rate, last / rate)}"
        raise AudioError(f"{wanted}: {common if first < last else 'they have no part in common'}.")
    first, last = asked[0], min(asked[1], last)
    if start is None and end is None and any(sound.shape[-1] != last - first for sound, _ in sounds.values()):
        notice(f"Of all sounds the part is taken that they have in common, {span_text(first / rate, last / rate)}.")
    return {name: sound[:, first - begin : last - begin] for name, (sound, begin) in sounds.items()}


def _sound(path: Path, rate: int, stem_paths: Sequence[Path]) -> tuple[Tensor, int]:
    """An audio file, or the mix of a folder, at a sample rate, with the sample of the song at which it begins."""
    path = path.parent if path.name == GRAPH_FILE else path
    folder = path if path.is_dir() else None
    if folder is not None and (stem_paths or not (folder / MIX).is_file()):
        refuse_missing(folder)
        sources = find_sources(folder, stem_paths)
        mix = render_mix(sources.G, sources.stems, sources.sample_rate, sources.processors)
        mix = conform(mix / level_of(sources.metadata), sources.sample_rate, rate, printable(folder), notice)
        return mix, 0 if stem_paths else _begin(folder, rate)
    file = path if folder is None else folder / MIX
    signal, own_rate = read_audio(file, notice)
    return conform(signal, own_rate, rate, printable(file), notice), _begin(file, rate)


def _begin(path: Path, rate: int) -> int:
    """At which sample of the song the mix of a search begins, which may have been one of an excerpt."""
    config = (path if path.is_dir() else path.parent) / CONFIG
    if not config.is_file() or (path.is_file() and path.name != MIX):
        return 0
    try:
        return round((read_config(config).get("start") or 0) * rate)
    except SearchError:
        return 0
