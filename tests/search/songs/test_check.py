"""What is wrong with lists of songs and their files is all said, and nothing that is right."""

import json

import pytest
import soundfile
import torch

from grafx.search.songs.check import check_songs

RATE = 8000


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    """One second each, and files that are broken in several ways."""
    folder = tmp_path_factory.mktemp("audio")
    generator = torch.Generator().manual_seed(0)
    for name in ("mix", "drums", "bass"):
        sound = 0.1 * torch.randn(RATE, 2, generator=generator).numpy()
        for suffix in ("wav", "flac", "ogg"):
            soundfile.write(folder / f"{name}.{suffix}", sound, RATE)
    soundfile.write(folder / "short.wav", sound[: RATE // 2], RATE)
    soundfile.write(folder / "many.wav", torch.zeros(RATE, 3).numpy(), RATE)
    soundfile.write(folder / "none.wav", sound[:0], RATE)
    for suffix in ("wav", "flac", "ogg"):
        whole = (folder / f"drums.{suffix}").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(whole[: 2 * len(whole) // 3])
    (folder / "copy.wav").write_bytes((folder / "mix.wav").read_bytes())
    (folder / "text.wav").write_text("no sound")
    (folder / "empty.flac").touch()
    (folder / "link.wav").symlink_to(folder / "mix.wav")
    return folder


def plain(**change):
    stems = {"drums": "drums.wav", "bass": "bass.wav"}
    return {"name": "one", "mix": "mix.wav", "stems": stems | change.pop("stems", {})} | change


def problems(audio, *contents):
    path = audio / "songs.jsonl"
    path.write_text("".join(json.dumps(content) + "\n" for content in contents), encoding="utf-8")
    return [(problem.line, problem.name, problem.text) for problem in check_songs(path)]


@pytest.mark.parametrize(
    "content",
    [
        plain(),
        plain(mix="mix.flac", stems={"drums": "drums.ogg"}),
        plain(start=0.25, end=1),
        plain(end=1.0004),  # rounded
        plain(start=0.5, stems={"bass": "short.wav"}),
        plain(groups={"all": ["drums", "bass"]}),
    ],
)
def test_songs_that_can_be_searched(audio, content):
    assert problems(audio, content) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(
            ({"stems": {"drums": name}}, words)
            for name, words in [
                ("missing.wav", "is not a file"),
                ("../", "is not a file"),
                ("text.wav", "cannot be read as audio"),
                ("empty.flac", "cannot be read"),
                ("none.wav", "empty"),
                ("cut.wav", "cut short"),
                ("cut.flac", "cut short"),
                ("cut.ogg", "cut short"),
                ("many.wav", "3 channels"),
                ("copy.wav", "the same as the mix"),
                ("link.wav", "the same as the mix"),
                ("mix.wav", "the mix itself"),
                ("bass.wav", "the same file"),
            ]
        ),
        ({"mix": "missing.wav"}, "The mix: "),
        ({"start": 1}, "starts at 1 s, but its mix is only 1.000 s"),
        ({"end": 1.5}, "ends at 1.5 s"),
        ({"start": 0.75, "stems": {"drums": "short.wav", "bass": "cut.wav"}}, "longest stem"),
        ({"genre": "rock"}, "unknown"),
    ],
)
def test_what_is_wrong_is_said(audio, change, words):
    found = problems(audio, plain(name="zero"), plain(**change))
    assert all((line, name) == (2, "one") for line, name, _ in found)
    assert words in " ".join(text for _, _, text in found)


def test_everything_is_said_of_every_song(audio):
    wrong = plain(
        stems={"a": "missing.wav", "b": "text.wav"}, mix="none.wav", start=-1, groups={"g": ["x"]}, name="a/b"
    )
    found = problems(audio, wrong, {"name": "two"}, plain(name="three"))
    assert [line for line, _, _ in found] == 6 * [1] + 2 * [2]


def test_songs_that_are_there_twice(audio):
    names = ["one", "One", "two", "caf\u00e9", "cafe\u0301"]
    found = problems(audio, *(plain(name=name) for name in names), plain(name="two"), plain(name="two", start=0.5))
    assert [(line, text.split(":")[0]) for line, _, text in found] == [
        (2, "Its folder would be that of the song of line 1"),
        (5, "Its folder would be that of the song of line 4"),
        (6, "It is the same as line 3"),
        (7, "Its folder would be that of the song of line 3"),
    ]


def test_many_lines_are_checked_in_order(audio):
    found = problems(audio, *(plain(name=f"{i}", **({"mix": "no.wav"} if i % 100 == 7 else {})) for i in range(600)))
    assert [line for line, _, _ in found] == [8, 108, 208, 308, 408, 508]


def test_a_list_without_songs(audio):
    assert [text for _, _, text in problems(audio)] == ["It has no songs."]
