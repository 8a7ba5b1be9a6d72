"""Lists of songs: what is written is read, and what is wrong is named."""

import json

import pytest

from grafx.search.songs import Song, read_manifest, song_folder, write_manifest
from grafx.search.songs.manifest import read_entries

PLAIN = {"name": "one", "mix": "one/mix.wav", "stems": {"drums": "one/drums.wav", "bass": "one/bass.wav"}}


def write_lines(path, *contents):
    path.write_text("".join(json.dumps(content) + "\n" for content in contents), encoding="utf-8")
    return path


def problems_of(path):
    return [(entry.line, list(entry.problems)) for entry in read_entries(path)]


def songs_in(folder):
    audio = folder / "audio"
    yield Song("one", audio / "one" / "mix.wav", {"drums": audio / "d.wav", "bass": audio / "b.wav"})
    groups = {"rhythm": ("drums", "bass")}
    yield Song("zwei, ä", folder / "mix, „2“.flac", {"drums": audio / "d.wav", "bass": audio / "b.wav"}, groups, 1.5, 4)
    yield Song("three", folder.parent / "m.wav", {'say "hi"': audio / "hi.wav"}, {}, None, 30.25)


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".json", ".csv", ".CSV"])
def test_what_is_written_is_read(tmp_path, suffix):
    songs = list(songs_in(tmp_path))
    path = tmp_path / f"songs{suffix}"
    assert write_manifest(iter(songs), path) == 3
    read = list(read_manifest(path))
    assert [s.name for s in read] == [s.name for s in songs]
    for new, old in zip(read, songs, strict=True):
        assert new.mix.resolve() == old.mix.resolve()
        assert {name: p.resolve() for name, p in new.stems.items()} == dict(old.stems)
        assert (dict(new.groups), new.start, new.end) == (dict(old.groups), old.start, old.end)
    assert str(tmp_path) not in path.read_text(encoding="utf-8")  # so that both may be moved


def test_a_spreadsheet(tmp_path):
    path = tmp_path / "songs.csv"
    path.write_bytes(
        "\ufeffname, mix, stems.drums, stems.bass, groups.rhythm, start, note\r\n".replace(", note", "").encode()
        + b'one, one/mix.wav, one/d.wav, one/b.wav, "drums, bass", 2\r\n'
        + b"\r\n"
        + b'"tw\no", two/mix.wav, two/d.wav\r\n'
        + b"three, m.wav, d.wav\r\n"
    )
    entries = list(read_entries(path))
    assert [entry.line for entry in entries] == [2, 4, 6]
    assert entries[0].parts["groups"] == {"rhythm": ("drums", "bass")} and entries[0].parts["start"] == 2
    assert "not printable" in entries[1].problems[0]
    assert entries[2].parts["stems"] == {"drums": tmp_path / "d.wav"}


def test_names_of_files_that_are_no_text(tmp_path):
    odd = tmp_path / "dr\udcffms.wav"
    for suffix in (".jsonl", ".csv"):
        write_manifest([Song("one", tmp_path / "mix.wav", {"drums": odd})], tmp_path / f"songs{suffix}")
        (song,) = read_manifest(tmp_path / f"songs{suffix}")
        assert song.stems["drums"].name == odd.name


def test_songs_are_read_one_by_one(tmp_path):
    path = write_lines(tmp_path / "songs.jsonl", PLAIN, {"name": 3})
    songs = read_manifest(path)
    assert next(songs).name == "one"
    with pytest.raises(ValueError, match=r"songs\.jsonl, line 2: Its name is 3, but must be a text"):
        next(songs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "no name"),
        ({"name": ""}, "name"),
        ({"mix": None}, "no mix"),
        ({"mix": ["a"]}, "must be a text"),
        ({"stems": {}}, "no stems"),
        ({"stems": ["a.wav"]}, "object of names"),
        ({"stems": {"a": 1}}, "object of names"),
        ({"stems": {"": "a.wav"}}, "is empty or not printable"),
        ({"stems": {"mas\nter": "a.wav"}}, "not printable"),
        ({"stems": {"master": "a.wav"}}, "'master'"),
        ({"stems": {"a": "one/mix.wav"}}, "the mix itself"),
        ({"groups": {"g": ["horns"]}}, "'horns'"),
        ({"groups": {"g": []}}, "no stems"),
        ({"groups": {"g": "drums"}}, "a list of stems"),
        ({"groups": {"drums": ["bass"]}}, "different names"),
        ({"groups": {"g": ["drums"], "h": ["drums"]}}, "leave it in one"),
        ({"start": -1}, "from 0 on"),
        ({"start": "2"}, "from 0 on"),
        ({"start": True}, "from 0 on"),
        ({"end": float("nan")}, "from 0 on"),
        ({"end": 10**400}, "from 0 on"),
        ({"start": 2, "end": 2}, "not after its start"),
        ({"end": 0}, "not after its start"),
        ({"stem": {}}, "did you mean 'stems'"),
    ],
)
def test_what_is_wrong_with_a_line(tmp_path, change, words):
    content = {key: value for key, value in {**PLAIN, **change}.items() if value is not None}
    ((line, problems),) = problems_of(write_lines(tmp_path / "songs.jsonl", content))
    assert line == 1 and len(problems) == 1 and words in problems[0]


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    content = {"mix": 1, "stems": {}, "start": -1, "genre": "rock"}
    ((_, problems),) = problems_of(write_lines(tmp_path / "songs.jsonl", content))
    assert len(problems) == 5
    content = {**PLAIN, "name": "a/b", "groups": {"master": ["drums", "x"]}, "start": 3, "end": 1, "x": 0}
    ((_, problems),) = problems_of(write_lines(tmp_path / "songs.jsonl", content))
    assert len(problems) == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[1]", "no object"),
        (b"{'name': 1}", "double quotes"),
        (b'{"name": "a", "name": "b"}', "twice"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b"[" * 200, "nested"),
        (b"x" * 2**23, "longer than"),
    ],
)
def test_lines_that_are_no_songs(tmp_path, text, words):
    path = tmp_path / "songs.jsonl"
    path.write_bytes(b"\xef\xbb\xbf\n" + text + b"\n")
    ((line, problems),) = problems_of(path)
    assert line == 2 and words in problems[0]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name,mix,drums\n", 1, "'drums' is unknown"),
        ("name;mix\n", 1, "separated by commas"),
        ("name,name\n", 1, "twice"),
        ("name,mix,stems.a\nx,y,z,w\n", 2, "4 cells"),
        ('name,mix,stems.a\n"x,y,z\n', 2, "no CSV"),
        ("name,mix,stems.a,start\nx,y,z,soon\n", 2, "seconds"),
        ("name,mix,stems.a,start\nx,y,z,inf\n", 2, "seconds"),
        ("name,mix,stems.a\nx,y,\n", 2, "no stems"),
    ],
)
def test_tables_that_are_no_songs(tmp_path, text, line, words):
    path = tmp_path / "songs.csv"
    path.write_text(text, encoding="utf-8")
    assert [(n, words in problems[0]) for n, problems in problems_of(path)] == [(line, True)]


def test_a_table_cannot_hold_all_names(tmp_path):
    song = Song("one", tmp_path / "m.wav", {"a,b": tmp_path / "s.wav"}, {"g": ("a,b",)})
    with pytest.raises(ValueError, match="comma"):
        write_manifest([song], tmp_path / "songs.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["songs.txt", "songs"])
def test_other_files_are_refused(tmp_path, path):
    for attempt in (lambda: list(read_manifest(tmp_path / path)), lambda: write_manifest([], tmp_path / path)):
        with pytest.raises(ValueError, match=r"should end in \.jsonl"):
            attempt()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "a\\b",
        "a:b",
        "..",
        ".x",
        "x.",
        "x ",
        " x",
        "con",
        "Nul.txt",
        "COM1",
        "a\nb",
        "é" * 101,
        "State",
        "atlas.html",
    ],
)
def test_names_that_are_no_folders(tmp_path, name):
    with pytest.raises(ValueError, match="rename it"):
        song_folder(tmp_path, name)
    assert problems_of(write_lines(tmp_path / "songs.jsonl", {**PLAIN, "name": name}))[0][1]


@pytest.mark.parametrize("name", ["one", "Zwei – drei (live)", "a.b", "console", "com10", "é" * 100, "日本"])
def test_names_that_are_folders(tmp_path, name):
    assert song_folder(tmp_path, name) == tmp_path / name
    song_folder(tmp_path, name).mkdir()
