"""``grafx listen``."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from torch import Tensor

from ..audio import conform, read_audio
from ..errors import AudioError, ExchangeError
from ..exchange.listening import ANCHORS, CONFIG_FILE, LONGEST, MOST, REFERENCE, Condition, write_listening_test
from ..search import render_mix
from ..text import file_name, printable
from ..words import count, signed
from .estimated import level_of
from .material import excerpt
from .options import refuse_missing
from .outputs import check_folder
from .sources import find_sources
from .stems import stem_names
from .terminal import notice, say, terminal

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
        start: Where the excerpt begins, in seconds.
        end: Where it ends.
        stem_paths: Audio files for the graphs.
    """
    check_folder(out, ExchangeError)
    signal, rate = read_audio(reference, notice)
    target = conform(signal, rate, rate, printable(reference), notice)
    names = _names(paths)
    sounds = {name: _sound(path, rate, stem_paths) for name, path in zip(names, paths, strict=True)}
    length = min(sound.shape[-1] for sound in (target, *sounds.values()))
    for name, sound in {REFERENCE: target, **sounds}.items():
        if extra := sound.shape[-1] - length:
            notice(
                f"'{name}' is cut by {extra / rate:.3f} s at its end, to the shortest of all, {length / rate:.3f} s."
            )
    cut = {name: excerpt(sound[:, :length], rate, start, end, reference) for name, sound in sounds.items()}
    target = excerpt(target[:, :length], rate, start, end, reference)
    if target.shape[-1] == 0:
        raise AudioError(f"The excerpt from {start or 0:g} s to {end:g} s is empty: let it end after it begins.")
    found = write_listening_test(cut, target, rate, out, page or file_name(reference.stem, "mix"))
    if target.shape[-1] > LONGEST * rate:
        seconds = target.shape[-1] / rate
        notice(f"The excerpt lasts {seconds:.1f} s; the recommendation takes up to {LONGEST:g} s: give --start, --end.")
    if len(found) > MOST:
        notice(f"The page has {count(len(found), 'sound')}; the recommendation takes up to {MOST}.")
    return found


def print_test(conditions: Sequence[Condition], out: Path) -> None:
    """Print what was written."""
    table = Table(title="Sounds, equally loud", title_justify="left")
    table.add_column("sound", overflow="fold")
    table.add_column("was", justify="right")
    table.add_column("changed by", justify="right")
    for each in conditions:
        table.add_row(printable(each.name), f"{signed(each.lufs, 1)} LUFS", f"{signed(each.gain_db, 1)} dB")
    terminal.print(table)
    say(f"Wrote {out / CONFIG_FILE}. In the folder configs of webMUSHRA, it is ?config={out.name}/{CONFIG_FILE}.")


def _names(paths: Sequence[Path]) -> list[str]:
    """Names that no two have, nor the test itself."""
    names = [file_name(name, "sound") for name in stem_names([path.absolute() for path in paths])]
    names = [f"{name}-sound" if name.lower() in (REFERENCE, *ANCHORS) else name for name in names]
    return stem_names([Path(f"{name}.wav") for name in names])


def _sound(path: Path, rate: int, stem_paths: Sequence[Path]) -> Tensor:
    """An audio file, or the mix of a folder, at a sample rate."""
    folder = path if path.is_dir() else None
    if folder is not None and (stem_paths or not (folder / MIX).is_file()):
        refuse_missing(folder)
        sources = find_sources(folder, stem_paths)
        mix = render_mix(sources.G, sources.stems, sources.sample_rate, sources.processors)
        return conform(mix / level_of(sources.metadata), sources.sample_rate, rate, printable(folder), notice)
    file = path if folder is None else folder / MIX
    signal, own_rate = read_audio(file, notice)
    return conform(signal, own_rate, rate, printable(file), notice)
