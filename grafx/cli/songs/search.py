"""``grafx songs search``."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from ...errors import SearchError
from ...files import LockedError, locked
from ...search import build_console
from ...search.mixing.console import SAMPLE_RATE
from ...search.mixing.own import known_device, own_device
from ...search.mixing.report import METRICS_FILE
from ...search.songs.cluster import GPU, cluster_at, local_cluster
from ...search.songs.manifest import Song, read_manifest, write_manifest
from ...search.songs.names import MANIFEST_FILE, folder_key, song_folder
from ...search.songs.run import BusyError, Event, Stopped, TellSong, run_songs
from ...search.songs.state import DONE, RUNNING, SongState, read_state, write_state
from ..config import Request
from ..material import stem_names
from ..outputs import check_folder, refuse_file
from ..own_processors import Maker, find_maker
from ..prior import starts_of
from ..progress import interrupts, shown_to
from ..report import REPORT_FILE, leave_report
from ..results import alone_in, finished_metrics
from ..search import check_request, read_searches, search_into, search_seeds_into
from ..seeds import num_processes, requests_of_seeds
from ..sources import find_sources
from ..terminal import silence
from .view import Tally, shown

SECONDS_TO_WAIT = 5
"""For a process that still works on a song, and has been told to stop; then another song comes first."""
TOLD = ("finished", "plain_loss", "console_loss", "found_loss", "found_processors", "steps")
"""What a worker returns of the metrics of a song."""


def search_songs(
    template: Request,
    manifest: Path,
    total: int,
    work: Mapping[str, Any],
    scheduler: str | None = None,
    workers: int | None = None,
    retries: int = 1,
) -> tuple[Tally, bool]:
    """Search the songs of a list that are not done yet, and tell the result.

    Args:
        template: What they have in common.
        manifest: The list.
        total: How many there are.
        work: Arguments of :func:`search_song`, besides the song and the template.
        scheduler: Address of a dask scheduler, or its file; without, processes of this machine work.
        workers: How many of these.
        retries: How often a song that fails is tried again.

    Returns:
        What has become of the songs, and whether the search was interrupted.
    """
    check_folder(template.out, SearchError)
    gpu = known_device(template.device).type == "cuda"
    if not scheduler:
        own_device(template.device)
    each = partial(search_song, template=template, **work)
    with alone_in(template.out), interrupts() as interrupted:
        write_manifest(read_manifest(manifest), template.out / MANIFEST_FILE)
        tally = Tally(total)
        left = _songs_left(template, work["report"], tally)
        for first in left:  # or else no worker is needed
            cluster = cluster_at(scheduler) if scheduler else _local(workers, work["threads"], gpu)
            _run(chain([first], left), each, cluster, template.out, tally, interrupted, retries, gpu)
        tally.tell(template)
    return tally, interrupted()


def folders_of(config: Path | None) -> list[Path]:
    """Where modules of processors are looked for, which workers may have to be told."""
    return [Path.cwd(), *([config.absolute().parent] if config else [])]


def check_template(template: Request, folders: Sequence[Path]) -> None:
    """Refuse options that no song can be searched with."""
    if template.prior:
        starts_of(template.prior, SAMPLE_RATE)
    if template.processors:
        find_maker(template.processors, *folders)
        return
    console = {name: value for name, value in template.console().items() if name != "sidechains"}
    if not isinstance(template.chain, Mapping):
        build_console(["stem"], **console)


def songs_in(manifest: Path) -> int:
    """Count the songs of a manifest.

    Raises:
        SearchError: A line is no song, or two are of one name.
    """
    names: dict[str, str] = {}
    for song in read_manifest(manifest):
        if (key := folder_key(song.name)) in names:
            raise SearchError(
                f"{manifest} has the songs '{names[key]}' and '{song.name}', of one folder: rename one."
                " See grafx songs check."
            )
        names[key] = song.name
    if not names:
        raise SearchError(f"{manifest} has no songs.")
    return len(names)


def _local(workers: int | None, threads: int, gpu: bool) -> AbstractContextManager:
    usual = torch.cuda.device_count() if gpu else len(_cores()) // threads
    return local_cluster(workers or max(usual, 1), threads, gpu)


def _cores() -> Sequence[int]:
    """Those that this process may use."""
    return list(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def absolute(template: Request) -> Request:
    """With paths that workers understand, whose working directory is another."""
    return replace(template, out=template.out.absolute(), prior=template.prior and template.prior.absolute())


def _songs_left(template: Request, report: bool, tally: Tally) -> Iterator[tuple[Song, SongState]]:
    """The songs that are not done, with what is known of them; others count as kept."""
    prior = template.prior.read_bytes() if template.prior else b""
    for song in read_manifest(template.out / MANIFEST_FILE):
        request = request_of(song, template)
        asked, state = _digest(request, prior), read_state(template.out, song.name)
        files = [METRICS_FILE, *([REPORT_FILE] if report else [])]
        if state.state == DONE and state.asked == asked and all((request.out / name).is_file() for name in files):
            tally.kept += 1
        else:
            before = state.seconds if state.asked == asked else 0.0
            yield song, SongState(song.name, seconds=before, asked=asked)


def _digest(request: Request, prior: bytes) -> str:
    """Tells whether the same is asked for, without reading any audio; the worker compares that, too."""
    same = replace(request, out=Path(), device=None)
    return hashlib.sha256(repr(same).encode("utf-8", "surrogateescape") + prior).hexdigest()[:32]


def _run(songs, work, cluster, out, tally, interrupted, retries, gpu) -> None:
    """Have a cluster work on songs, show it, and write down what becomes of each."""

    def heard(event: Event) -> None:
        state = event.state
        if state.state != RUNNING or tally.running.get(state.name, {}).get("worker") != state.worker:
            write_state(out, state)
        tally.take(event)

    with shown(tally), cluster as client:
        tally.begin(client)
        resources = {GPU: 1} if gpu else None
        run_songs(songs, work, client, heard=heard, stopped=interrupted, retries=retries, resources=resources)


# In a worker


def request_of(song: Song, template: Request) -> Request:
    """What is asked for of one song, in a folder of its own."""
    paths = [path.absolute() for path in song.stems.values()]
    return replace(
        template,
        stems=paths,
        mix=song.mix.absolute(),
        out=song_folder(template.out, song.name),
        names=None if list(song.stems) == stem_names(paths) else list(song.stems),
        groups={name: list(stems) for name, stems in song.groups.items()},
        start=song.start,
        end=song.end,
        json=False,
        quiet=True,
    )


def search_song(
    song: Song,
    tell: TellSong,
    stopped: Stopped,
    *,
    template: Request,
    folders: Sequence[Path],
    threads: int,
    report: bool,
) -> dict[str, Any]:
    """Search one song as ``grafx search`` does, leaving the same files; see :data:`.run.Work`.

    Args:
        song: One of a manifest.
        tell: Told of each step.
        stopped: Tells whether to stop.
        template: What is asked for of each song.
        folders: Where the user's processors may be.
        threads: How many to compute with.
        report: Whether to write the page.
    """
    request = request_of(song, template)
    torch.set_num_threads(threads)
    _choose_gpu(request)
    if request.seeds > 1 and num_processes(request) > 1:
        torch.set_num_threads(1)  # as where each has a process
    with silence(True), shown_to(_told_to(tell, request)), _waiting_for(request.out):
        maker = check_request(request, *folders)
        metrics = _search(request, maker, stopped)
        if metrics["finished"] and report:
            leave_report(request.out, lambda folder: find_sources(folder, name=request.processors, maker=maker))
    return {name: metrics.get(name) for name in TOLD}


def _search(request: Request, maker: Maker | None, stopped: Stopped) -> Mapping[str, Any]:
    new_search = read_searches(request, maker)
    search = new_search(request)
    if request.seeds > 1:
        metrics, _ = search_seeds_into(search, new_search, request, stopped)
        return metrics or {"finished": False}
    return finished_metrics(request.out, search) or search_into(search, request.out, stopped, request)


def _told_to(tell: TellSong, request: Request):
    """Shows progress by telling it."""

    def show(phase: str, done: int, total: int, words: str) -> None:
        if request.seeds > 1:  # which are searched one after another
            before = sum((each.out / METRICS_FILE).exists() for each in requests_of_seeds(request))
            done, total = done + before * total, total * request.seeds
        tell({"step": done, "total": total, "phase": phase, "words": words})

    return show


def _choose_gpu(request: Request) -> None:
    """Let workers of this machine, whose names are numbers, share its GPUs."""
    if request.device != "cuda":
        return
    from distributed import get_worker

    try:
        name = get_worker().name
    except ValueError:
        return
    if isinstance(name, int) and torch.cuda.device_count():
        torch.cuda.set_device(name % torch.cuda.device_count())


@contextmanager
def _waiting_for(out: Path) -> Iterator[None]:
    """The folder of a song, once nobody else writes into it.

    Raises:
        BusyError: Somebody does.
    """
    refuse_file(out, SearchError)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out, SECONDS_TO_WAIT):
            yield
    except LockedError:
        raise BusyError(f"Another process is still writing into {out}.") from None
