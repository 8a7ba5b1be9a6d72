"""Songs that are found in folders by how these lie on disk."""

import pytest

from grafx.search.songs.names import folder_name, name_problem, plain_name
from grafx.search.songs.scan import scan_songs


@pytest.fixture
def lay(tmp_path):
    def make(*names, folder=tmp_path):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        return folder

    return make


def scanned(folder):
    notes = []
    songs = scan_songs(folder, notes.append)
    found = {
        song.name: (
            song.mix.relative_to(folder).as_posix(),
            {name: path.relative_to(folder).as_posix() for name, path in song.stems.items()},
        )
        for song in songs
    }
    assert len(found) == len(songs)
    return found, notes


@pytest.mark.parametrize(
    ("names", "mix", "stems"),
    [
        (
            ["a/mix.wav", "a/drums.wav", "a/Bass 1.flac"],
            "a/mix.wav",
            {"drums": "a/drums.wav", "Bass 1": "a/Bass 1.flac"},
        ),
        (["a/Mixture.FLAC", "a/x.mp3", "a/cover.jpg", "a/._x.mp3"], "a/Mixture.FLAC", {"x": "a/x.mp3"}),
        (["a/mix.wav", "a/remix.wav", "a/stems/x.wav", "a/stems/notes.txt"], "a/mix.wav", {"x": "a/stems/x.wav"}),
        (["a/Song Full Mix.wav", "a/x.wav", "a/__MACOSX/y.wav"], "a/Song Full Mix.wav", {"x": "a/x.wav"}),
        (["a/mix.mp3", "a/mix.wav", "a/x.ogg", "a/x.flac"], "a/mix.wav", {"x": "a/x.flac"}),
    ],
)
def test_plain_folders(lay, names, mix, stems):
    assert scanned(lay(*names)) == ({"a": (mix, stems)}, [])


@pytest.mark.parametrize(
    "names",
    [
        ["a/mix.wav", "a/mixture.wav", "a/x.wav"],  # which of them?
        ["a/mix.wav"],
        ["a/x.wav", "a/y.wav"],
        ["a/remix.wav", "a/x.wav"],
    ],
)
def test_folders_that_are_no_songs_are_told(lay, names):
    found, notes = scanned(lay(*names))
    assert not found and len(notes) == 1 and f"{len(names)} audio file" in notes[0]


def test_a_song_alone(lay):
    folder = lay("The Song/mix.wav", "The Song/x.wav") / "The Song"
    assert list(scanned(folder)[0]) == ["The Song"]


def test_musdb18(lay):
    four = [f"{name}.wav" for name in ("drums", "bass", "other", "vocals")]
    files = [
        f"{split}/A - B/{name}" for split in ("train", "test") for name in (*four, "mixture.wav", "accompaniment.wav")
    ]
    found, notes = scanned(lay(*files, "train/C - D/mixture.wav", *(f"train/C - D/{name}" for name in four)))
    assert set(found) == {"train - A - B", "test - A - B", "C - D"} and not notes
    assert found["C - D"] == ("train/C - D/mixture.wav", {name[:-4]: f"train/C - D/{name}" for name in four})
    assert set(found["test - A - B"][1]) == {"drums", "bass", "other", "vocals"}


def test_musdb18_in_files_that_hold_all(lay):
    found, (note,) = scanned(lay("train/A - B.stem.mp4", "train/C - D.stem.mp4"))
    assert not found and "2 songs in one file each" in note


METADATA = """
artist: A
stems:
  S01: {filename: A_B_STEM_01.wav, instrument: drum set, component: ''}
  S02: {filename: A_B_STEM_02.wav, instrument: electric guitar}
  S03: {filename: A_B_STEM_03.wav, instrument: electric guitar}
  S04: {filename: A_B_STEM_04.wav, instrument: [oboe, flute]}
"""


@pytest.mark.parametrize(
    ("place", "text", "names"),
    [
        (
            "Audio/A_B/A_B_METADATA.yaml",
            METADATA,
            ["drum set", "electric guitar", "electric guitar 2", "oboe and flute"],
        ),
        (
            "Metadata/A_B_METADATA.yaml",
            METADATA,
            ["drum set", "electric guitar", "electric guitar 2", "oboe and flute"],
        ),
        ("Metadata/A_B_METADATA.yaml", "- [", ["STEM_01", "STEM_02", "STEM_03", "STEM_04"]),
        ("elsewhere", "", ["STEM_01", "STEM_02", "STEM_03", "STEM_04"]),
    ],
)
def test_medleydb(lay, place, text, names):
    stems = [f"Audio/A_B/A_B_STEMS/A_B_STEM_0{number}.wav" for number in range(1, 5)]
    folder = lay(*stems, "Audio/A_B/A_B_MIX.wav", "Audio/A_B/A_B_RAW/A_B_RAW_01_01.wav", place)
    (folder / place).write_text(text, encoding="utf-8")
    assert scanned(folder) == ({"A_B": ("Audio/A_B/A_B_MIX.wav", dict(zip(names, stems, strict=True)))}, [])


@pytest.mark.parametrize(
    "mix", ["A_B_Full/A_B_UnmasteredWAV.wav", "A_B_UnmasteredWAV.wav", "A_B_Full_Preview.mp3", "A_B_Full/mix.wav"]
)
def test_mixing_secrets(lay, mix):
    others = ["A_Bcd_UnmasteredWAV.wav", "A_B_Preview_Mastered.ogg", "A/x.txt"]
    folder = lay("A_B_Full/01_Kick.wav", "A_B_Full/02_Snare Up.wav", "A_B_Full/10_Kick.wav", mix, *others)
    found, _ = scanned(folder)
    stems = {"Kick": "A_B_Full/01_Kick.wav", "Snare Up": "A_B_Full/02_Snare Up.wav", "Kick 2": "A_B_Full/10_Kick.wav"}
    assert found == {"A_B_Full": (mix, stems)}


def test_links_to_folders_above_end(lay):
    folder = lay("a/mix.wav", "a/x.wav", "b/c/mix.wav", "b/c/x.wav")
    (folder / "b" / "up").symlink_to(folder, target_is_directory=True)
    assert set(scanned(folder)[0]) == {"a", "c"}


def test_names_are_those_of_folders_everywhere(lay):
    found, _ = scanned(
        lay(
            *(
                f"{name}/{file}"
                for name in ("x/One", "y/one", "AC: DC?", "Con", "x/e ..")
                for file in ("mix.wav", "s.wav")
            )
        )
    )
    assert set(found) == {"x - One", "y - one", "AC_ DC_", "Con_", "e"}
    assert not [name for name in found if name_problem(name)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "a/b\\c",
        "é" * 300,
        "state",
        "NUL.x",
        "con.a.b",
        "con." + "x" * 300,
        "songs.jsonl",
        "com1 .x",
        "\x07",
        " ",
    ],
)
def test_any_text_makes_a_name(text):
    assert name_problem(folder_name(text)) is None


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("vocals_1", "vocals"),
        ("02_Lead-Vox", "lead vox"),
        ("Kick 2", "kick"),
        ("808", "808"),
        ("DRUMS", "drums"),
        ("a1", "a"),
    ],
)
def test_words_of_a_name(name, plain):
    assert plain_name(name) == plain


def test_no_folder(tmp_path):
    with pytest.raises(OSError, match="missing"):
        scan_songs(tmp_path / "missing")
