"""Files whole or not at all, and one writer at a time; with processes, since threads are not what runs side by side."""

import multiprocessing
import os
import threading

import pytest
import torch

from grafx import files
from grafx.data import GRAFX, load_grafx, save_grafx
from grafx.files import LockedError, locked, replacing

PROCESSES = multiprocessing.get_context("spawn" if os.name == "nt" else "fork")


def in_processes(function, *arguments):
    processes = [PROCESSES.Process(target=function, args=(number, *arguments)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old" and partial.suffix == ".txt"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_file_that_fails_leaves_what_was_there(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error), replacing(tmp_path / "a.txt") as partial:
        partial.write_text("new")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("a" * 251 + ".txt")
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


def test_links_are_followed_and_folders_are_left(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    with replacing(tmp_path / "link") as partial:
        partial.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "new"
    with pytest.raises(FileExistsError), replacing(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(FileExistsError), replacing(tmp_path / "a.wav"):
        pass


def count(_, folder, by_file):
    if by_file:
        files._try_lock = lambda folder: files._try_lock_file(folder / files.LOCK_FILE)
    for _ in range(30):
        with locked(folder):
            path = folder / "number"
            path.write_text(str(int(path.read_text()) + 1))


@pytest.mark.parametrize("by_file", [False, True])
def test_one_process_at_a_time(tmp_path, by_file):
    (tmp_path / "number").write_text("0")
    in_processes(count, tmp_path, by_file)
    assert (tmp_path / "number").read_text() == "90" and os.listdir(tmp_path) == ["number"]


def test_one_thread_at_a_time_and_again_and_again(tmp_path):
    def try_it():
        with pytest.raises(LockedError), locked(tmp_path, timeout=0):
            pass
        refused.append(True)

    refused = []
    with locked(tmp_path):
        with locked(tmp_path, timeout=0):
            pass
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    with locked(tmp_path, timeout=0):
        assert refused == [True] and os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "none"):
        pass


def graph(number):
    G = GRAFX()
    for _ in range(number + 1):
        G.add("eq")
    return G, {"eq": {"gain": torch.full((number + 1, 1000), float(number))}}


def assert_whole(folder):
    G, parameters, metadata = load_grafx(folder)
    number = metadata["number"]
    assert len(G) == number + 1
    assert torch.equal(parameters["eq"]["gain"], graph(number)[1]["eq"]["gain"])


def save_and_load(number, folder):
    torch.set_num_threads(1)
    for _ in range(15):
        save_grafx(*graph(number)[:1], folder, graph(number)[1], {"number": number})
        assert_whole(folder)


def test_savers_and_readers_side_by_side(tmp_path):
    folder = tmp_path / "graph"
    in_processes(save_and_load, folder)
    assert_whole(folder)
    assert sorted(os.listdir(folder)) == ["graph.json", "parameters.safetensors"]
