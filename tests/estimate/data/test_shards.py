"""Shards: the same examples from disk, after kills and with faults too."""

import json
import multiprocessing
import os
import signal

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from grafx.errors import EstimateError
from grafx.estimate.dataset import GraphDataset
from grafx.estimate.prior import load_prior
from grafx.estimate.shards import ShardDataset, shard, write_shards
from grafx.estimate.sounds import FolderSounds, GeneratedSounds

SECONDS = 0.05
COUNT, BATCH = 7, 2


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shard, "SIZE", 4)


def dataset(**options):
    options = {"count": COUNT, "batch_size": BATCH, "seconds": SECONDS, "split": "valid", **options}
    return GraphDataset(load_prior("drums"), GeneratedSounds("tones"), **options)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SIZE", 4)
        assert write_shards(dataset(), folder)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    for path in (written / "valid").iterdir():
        (tmp_path / "valid").mkdir(exist_ok=True)
        (tmp_path / "valid" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flat(batches):
    return [example for batch in batches for example in batch]


def assert_same(read, made):
    assert (read.seed, read.sounds, read.gain) == (made.seed, made.sounds, made.gain)
    assert list(read.G.nodes(data=True)) == list(made.G.nodes(data=True))
    assert list(read.G.edges(data=True)) == list(made.G.edges(data=True))
    assert read.G.config == made.G.config
    for one, other in ((read.sources, made.sources), (read.output, made.output)):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= 2**-22 * other.abs().max()


def test_examples_come_back(written):
    assert sorted(content(written)) == [
        f"valid/{n}" for n in ("00000.flac", "00000.jsonl", "00001.flac", "00001.jsonl", "data.json")
    ]
    read = ShardDataset(written, "valid")
    assert (len(read), read.prior, read.seconds) == (4, load_prior("drums"), SECONDS)
    assert [len(batch) for batch in read] == [2, 2, 2, 1]
    for one, other in zip(flat(read), flat(dataset()), strict=True):
        assert_same(one, other)


def test_files_are_what_they_say(written):
    info = soundfile.info(written / "valid" / "00000.flac")
    assert (info.subtype, info.channels, info.samplerate) == ("PCM_24", 2, 44100)
    assert info.frames == 4 * 2 * round(SECONDS * 44100)
    lines = [json.loads(line) for line in (written / "valid" / "00000.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [example.seed for example in flat(dataset())[:4]]


@pytest.mark.parametrize("options", [{"loudness": -60.0}, {"loudness": -3.0}, {"by": "settings"}])
def test_loud_and_quiet_outputs_come_back(options, tmp_path):
    made = dataset(count=2, **options)
    write_shards(made, tmp_path)
    for one, other in zip(flat(ShardDataset(tmp_path, "valid")), flat(made), strict=True):
        assert_same(one, other)


def test_orders_are_those_of_the_dataset(written):
    made, read = dataset(), ShardDataset(written, "valid")
    for epoch in (1, 2):
        made.set_epoch(epoch)
        read.set_epoch(epoch)
        assert [[e.seed for e in batch] for batch in read] == [[e.seed for e in batch] for batch in made]


@pytest.mark.parametrize("workers", [1, 2])
def test_order_does_not_depend_on_workers(written, workers):
    read = ShardDataset(written, "valid", batch_size=3)
    loader = DataLoader(read, batch_size=None, num_workers=workers, persistent_workers=True)
    for epoch in (0, 3):
        read.set_epoch(epoch)
        alone, loaded = flat(read), flat(loader)
        assert [e.seed for e in loaded] == [e.seed for e in alone]
        assert all(torch.equal(a.output, b.output) for a, b in zip(alone, loaded, strict=True))


def test_processes_share_the_examples(written):
    seeds = [e.seed for rank in range(2) for e in flat(ShardDataset(written, "valid", rank=rank, world_size=2))]
    assert sorted(seeds) == sorted(e.seed for e in flat(ShardDataset(written, "valid")))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_write_the_same_bytes(written, tmp_path, workers):
    assert write_shards(dataset(), tmp_path, workers)
    assert content(tmp_path) == content(written)


def test_an_interrupted_run_goes_on_to_the_same_bytes(written, tmp_path):
    stops = iter([False, False, False, True])
    shown = []
    assert not write_shards(dataset(), tmp_path, interrupted=lambda: next(stops))
    assert sorted(content(tmp_path / "valid")) == ["00000.flac", "00000.jsonl", "data.json"]
    before = (tmp_path / "valid" / "00000.flac").stat().st_mtime_ns
    assert write_shards(dataset(), tmp_path, show=lambda done, total: shown.append((done, total)))
    assert shown == [(4, 7), (6, 7), (7, 7)]
    assert (tmp_path / "valid" / "00000.flac").stat().st_mtime_ns == before
    assert content(tmp_path) == content(written)


def _killed_at(operation, folder):
    count = 0

    def counted(original):
        def operate(*arguments, **options):
            nonlocal count
            count += 1
            if count == operation:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return operate

    for name in ("replace", "fsync", "mkdir"):
        setattr(os, name, counted(getattr(os, name)))
    shard.SIZE = 4
    write_shards(dataset(), folder)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="a process of its own takes seconds")
def test_a_killed_run_goes_on_to_the_same_bytes(written, tmp_path):
    context = multiprocessing.get_context("fork")
    for operation in (2, 3, 6, 7, 9, 12):
        folder = tmp_path / str(operation)
        process = context.Process(target=_killed_at, args=(operation, folder))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, operation
        assert write_shards(dataset(), folder)
        assert content(folder) == content(written)


def test_other_data_is_refused(folder):
    before = content(folder)
    for options, match in (
        ({"seed": 1}, "seed 0, not 1"),
        ({"count": 8}, "count 7, not 8"),
        ({"by": None}, "by"),
    ):
        with pytest.raises(EstimateError, match=match):
            write_shards(dataset(**options), folder)
    (folder / "train").mkdir()
    (folder / "train" / "mine.txt").write_text("")
    with pytest.raises(EstimateError, match=r"mine\.txt"):
        write_shards(dataset(split="train"), folder)
    (folder / "train" / "mine.txt").unlink()
    assert content(folder) == before


def test_folders_without_data_are_refused(tmp_path):
    with pytest.raises(EstimateError, match="grafx data"):
        ShardDataset(tmp_path, "train")
    with pytest.raises(EstimateError, match="train, valid, test"):
        ShardDataset(tmp_path, "dev")


FAULTS = {
    "cut line": ("00001.jsonl", lambda b: b[:-20], "00001.jsonl is cut short"),
    "lost line": ("00001.jsonl", lambda b: b[: b.index(b"\n") + 1], "00001.jsonl is cut short"),
    "broken line": (
        "00001.jsonl",
        lambda b: b.replace(b"{", b"[", 1),
        "00001.jsonl, line 1 is damaged",
    ),
    "odd line": ("00001.jsonl", lambda b: b.replace(b'"seed"', b'"sead"', 1), "line 1 is damaged: it has no seed"),
    "other type": ("00001.jsonl", lambda b: b.replace(b'"type":"in"', b'"type":"on"', 1), "line 1"),
    "cut sound": ("00001.flac", lambda b: b[: len(b) // 2], "00001.flac"),
    "no sound": ("00001.flac", lambda b: b"", "00001.flac"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_shards_are_named_and_mended(folder, written, fault):
    name, damage, match = FAULTS[fault]
    path = folder / "valid" / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EstimateError, match=match):
        flat(ShardDataset(folder, "valid"))
    if fault not in ("broken line", "odd line", "other type"):  # within, which only reading finds
        assert write_shards(dataset(), folder)
        assert content(folder) == content(written)


def test_missing_shards_are_named(folder):
    (folder / "valid" / "00001.jsonl").unlink()
    with pytest.raises(EstimateError, match=r"1 of 2 shards; 00001"):
        ShardDataset(folder, "valid")


def test_shards_of_shorter_sounds_are_named(folder):
    path = folder / "valid" / "00000.flac"
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples[: len(samples) // 2], rate, "PCM_24")
    with pytest.raises(EstimateError, match=r"00000\.flac is cut short: the sound of .*00000\.jsonl, line 3"):
        flat(ShardDataset(folder, "valid"))


def test_sounds_of_folders_are_known_by_content(tmp_path):
    for name in "abcd":
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(ord(name)).uniform(-1, 1, 4000), 44100)
    one = FolderSounds(tmp_path).description
    assert FolderSounds(tmp_path).description == one
    soundfile.write(tmp_path / "a.wav", np.ones(4001), 44100)
    assert FolderSounds(tmp_path).description != one
