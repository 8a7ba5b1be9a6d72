"""Make songs to search: excerpts of stems, mixed by random engineers with pedalboard, whose effects are not ours.

    python tests/search/songs/make_songs.py OUT --songs 40 --seconds 2 FOLDER_OF_STEMS FOLDER_OF_STEMS …

Each folder has the stems of a song as audio files; those named mix, bus or remix are left out. Without folders, the
stems are those of the demo. OUT gets a folder for each song, with stems, mix and what the engineer did, and the list of
them, songs.jsonl. The same arguments make the same songs.

An engineer has habits: how much each kind of stem is compressed, brightened, sent to a room. Songs of one engineer
differ from these a little, as the settings of a person do.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import soundfile

NO_STEMS = ("mix", "bus", "remix", "mixture", "chain", "master")
SUFFIXES = (".flac", ".wav", ".ogg", ".aiff")


def habits_of(engineer: int, stem: str) -> random.Random:
    """Random numbers that are the same for a stem of this name in all songs of an engineer."""
    return random.Random(f"{stem} of engineer {engineer}")


def draw_strip(habits: random.Random, today: random.Random) -> dict:
    """What is done to a stem: a usual setting, and a little beside it."""

    def setting(low: float, high: float, spread: float = 0.1) -> float:
        usual, offset = habits.uniform(low, high), today.gauss(0, spread) * (high - low)
        return round(min(max(usual + offset, low), high), 3)

    strip = {
        "threshold_db": setting(-32, -16),
        "ratio": setting(2, 6),
        "attack_ms": setting(2, 25),
        "release_ms": setting(60, 250),
        "low_shelf_db": setting(-6, 6),
        "high_shelf_db": setting(-6, 6),
        "room": setting(0.2, 0.8),
        "wet": setting(0.05, 0.3),
        "gain_db": setting(-9, 0),
        "balance": setting(-0.7, 0.7, 0.3),
    }
    used = {"compressor": habits.random() < 0.7, "equalizer": habits.random() < 0.7, "reverb": habits.random() < 0.4}
    return strip | used


def play(strip: dict, stem: np.ndarray, rate: int) -> np.ndarray:
    """Mix one ``(2, L)`` stem."""
    from pedalboard import Compressor, HighShelfFilter, LowShelfFilter, Pedalboard, Reverb

    board = []
    if strip["equalizer"]:
        board.append(LowShelfFilter(cutoff_frequency_hz=150, gain_db=strip["low_shelf_db"]))
        board.append(HighShelfFilter(cutoff_frequency_hz=5000, gain_db=strip["high_shelf_db"]))
    if strip["compressor"]:
        keys = "threshold_db", "ratio", "attack_ms", "release_ms"
        board.append(Compressor(**{key: strip[key] for key in keys}))
    if strip["reverb"]:
        board.append(Reverb(room_size=strip["room"], wet_level=strip["wet"], dry_level=1 - strip["wet"]))
    wet = Pedalboard(board)(stem.astype(np.float32), rate)
    sides = np.array([[min(1, 1 - strip["balance"])], [min(1, 1 + strip["balance"])]])
    return 10 ** (strip["gain_db"] / 20) * sides * wet


def read_stems(folder: Path) -> tuple[dict[str, np.ndarray], int]:
    """The stems of a song, ``(2, L)`` of equal length, by their names."""
    folder = folder / "stems" if (folder / "stems").is_dir() else folder
    stems, rate = {}, 0
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES and path.stem not in NO_STEMS:
            signal, rate = soundfile.read(path, always_2d=True, dtype="float32")
            stems[path.stem] = np.broadcast_to(signal.T, (2, len(signal)))
    length = min(stem.shape[1] for stem in stems.values())
    return {name: stem[:, :length] for name, stem in stems.items()}, rate


def demo_stems() -> tuple[dict[str, np.ndarray], int]:
    from grafx.cli.demo import NAMES, read_excerpt

    stems, rate = read_excerpt()
    return dict(zip(NAMES, stems.numpy(), strict=True)), rate


def loud_start(stems: dict[str, np.ndarray], length: int, today: random.Random) -> int:
    """Where an excerpt begins, of some that are drawn the one in which the softest stem is loudest."""
    last = next(iter(stems.values())).shape[1] - length
    places = [today.randint(0, max(last, 0)) for _ in range(8)]
    return max(places, key=lambda place: min(np.square(s[:, place : place + length]).mean() for s in stems.values()))


def make_song(out: Path, name: str, source: tuple[dict[str, np.ndarray], int], engineer: int, seconds: float) -> dict:
    """Write a song, and return its line of the list."""
    stems, rate = source
    today, length = random.Random(f"{name} by {engineer}"), round(seconds * rate)
    start = loud_start(stems, length, today)
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    strips, mix = {}, 0
    for stem, signal in stems.items():
        cut = signal[:, start : start + length]
        strips[stem] = draw_strip(habits_of(engineer, stem), today)
        mix = mix + play(strips[stem], cut, rate)
        soundfile.write(folder / f"{stem}.wav", cut.T, rate, subtype="FLOAT")
    soundfile.write(folder / "mix.wav", (0.7 * mix / np.abs(mix).max()).T, rate, subtype="FLOAT")
    (folder / "engineer.json").write_text(
        json.dumps({"engineer": engineer, "start": start, "strips": strips}, indent=1)
    )
    return {"name": name, "mix": f"{name}/mix.wav", "stems": {stem: f"{name}/{stem}.wav" for stem in stems}}


def make_songs(
    out: Path, folders: list[Path], songs: int = 40, seconds: float = 2.0, engineers: int = 4, seed: int = 0
) -> Path:
    """Write songs and their list, and return its path."""
    sources = [read_stems(folder) for folder in folders] or [demo_stems()]
    names = [folder.name for folder in folders] or ["demo"]
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(songs):
        which, engineer = number % len(sources), seed * engineers + number // len(sources) % engineers
        name = f"{names[which]}-{seed}-{number:04}"
        lines.append(make_song(out, name, sources[which], engineer, seconds))
    path = out / "songs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--engineers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    print(make_songs(**vars(parser.parse_intermixed_args())))
