"""``grafx search``."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data import GRAFX, load_grafx
from ..errors import SearchError
from ..search import Search, build_console, load_checkpoint, remove_checkpoint, save_checkpoint
from ..search.mixing.console import MASTER
from ..search.mixing.own import own_device
from ..search.mixing.report import RESULT_FILES, write_results
from .config import CONFIG_FILE, Request, is_own_config, write_config
from .faults import plain_errors
from .material import Material, read_material
from .outputs import check_folder
from .own_processors import Maker, find_maker, made_by
from .prior import starts_for
from .progress import CHECKPOINT, busy, interrupts, run_with_progress
from .results import alone_in, finished_metrics, refuse_results, result_files
from .seeds import has_results, num_processes, refuse_others, requests_of_seeds, write_best
from .summary import print_summary
from .terminal import notice, say, silence
from .workers import run_in_processes


def check_request(request: Request, *folders: Path) -> Maker | None:
    """Refuse what can be refused before any audio is read, and find the user's processors.

    Args:
        request: Of one song.
        folders: Where their module may be, besides the working directory.

    Raises:
        GraphError: Groups or chains are not valid.
        SearchError: There is no such function of processors.
    """
    build_console(request.stem_names, request.groups)  # raises if groups are invalid
    if request.processors:  # only with these are all types known
        return find_maker(request.processors, *folders)
    _graph(request.stem_names, request, None)
    return None


def read_searches(request: Request, maker: Maker | None) -> Callable[[Request], Search]:
    """Read the audio of a request, and return what makes searches of it, with any options.

    Raises:
        ValueError: The audio, the processors, the device or the folder for the results are not as they should be.
        OSError: A file cannot be read, or the folder not be written to.
    """
    check_folder(request.out, SearchError)
    own_device(request.device)
    material = read_material(request.stems, request.mix, request.names, request.start, request.end)
    own = made_by(request.processors, maker, material.sample_rate)
    return lambda each: _search(material, each, own)


def _graph(names: Sequence[str], request: Request, own: Mapping[str, Any] | None) -> GRAFX | None:
    """The console that is asked for; None where it is the usual one."""
    console = request.console()
    if not console:
        return None
    return build_console(names, request.groups, **console, **({"processors": own} if own else {}))


def _search(material: Material, request: Request, own: Mapping[str, Any] | None) -> Search:
    graph = _graph(material.names, request, own)
    owners = (*material.names, *request.groups, *request.returns, MASTER)
    return Search(
        material.stems,
        material.mix,
        material.sample_rate,
        material.names,
        request.groups if graph is None else None,
        request.options,
        graph=graph,
        processors=own,
        device=request.device,
        starts=starts_for(request.prior, material.sample_rate, owners) if request.prior else None,
    )


def run_search(
    search: Search,
    out: Path,
    truth: Mapping[str, Sequence[str]] | None = None,
    request: Request | None = None,
    config: Path | None = None,
) -> bool:
    """Search with a progress bar, write the results, and print a summary, next to the ground truth if known.

    An interrupted search is resumed. Results of another search are never overwritten. An interrupt while results are
    written waits until they are; a second one leaves at once, with the checkpoint.

    Args:
        search: What has not begun.
        out: Folder for the results.
        truth: What is known of each chain.
        request: Where the search comes from, to be written beside the results.
        config: The file that it was read from, which is left as it is.

    Returns:
        True if the search finished, false if it was interrupted.
    """
    finished = finished_metrics(out, search)
    with interrupts() as interrupted:
        metrics = finished or search_into(search, out, interrupted, request, config)
    _tell(metrics, out, request, truth, already=finished is not None)
    return metrics["finished"]


def run_seeds(
    first: Search, new_search: Callable[[Request], Search], request: Request, config: Path | None = None
) -> bool:
    """Search with several seeds, in a folder each, and write the best result with what is sure of it.

    What is finished is not run again. For the rest as :func:`run_search`.

    Args:
        first: The search with the first seed, which has not begun.
        new_search: Makes that of one of :func:`.requests_of_seeds`.
        request: What is asked for.
        config: The file that it was read from.

    Returns:
        True if all have finished, false if they were interrupted.
    """
    with interrupts() as interrupted:
        metrics, already = search_seeds_into(first, new_search, request, interrupted, config, num_processes(request))
    if metrics is None:
        notice("Stopped before there was a result; the same command resumes.")
        return False
    _tell(metrics, request.out, request, already=already)
    return metrics["finished"]


def search_seeds_into(
    first: Search,
    new_search: Callable[[Request], Search],
    request: Request,
    interrupted: Callable[[], bool],
    config: Path | None = None,
    number: int = 1,
) -> tuple[dict[str, Any] | None, bool]:
    """As :func:`search_into`, with several seeds, ``number`` of them at a time.

    Returns:
        The metrics, or None if it was interrupted before there were any, and whether all was there already.
    """
    out, requests = request.out, requests_of_seeds(request)
    console = first.mixer.graph()
    with alone_in(out):
        refuse_others(out, [each.out for each in requests], result_files(out, request, config))
        for text in first.diagnosis.notes:
            notice(text)
        if finished_metrics(requests[0].out, first) is None and not load_checkpoint(
            first, requests[0].out / CHECKPOINT
        ):
            refuse_results(requests[0].out, (*RESULT_FILES, CONFIG_FILE))
        labels = [f"seed {each.options.seed} ({place} of {len(requests)}), " for place, each in enumerate(requests, 1)]
        tasks = list(zip(requests, labels, strict=True))
        if number > 1:
            shares = [(tasks[place::number], config) for place in range(min(number, len(tasks)))]
            run_in_processes(_search_elsewhere, shares, interrupted)
        else:
            _search_seeds(new_search, tasks, interrupted)
        if not has_results(requests):
            return None, False
        if not is_own_config(out, config):
            write_config(request, out)
        return write_best(out, [each.out for each in requests], request.options.tolerance, console)


def _search_seeds(
    new_search: Callable[[Request], Search], tasks: Sequence[tuple[Request, str]], interrupted: Callable[[], bool]
) -> None:
    for request, label in tasks:
        search = new_search(request)
        if finished_metrics(request.out, search) is None:
            search_into(search, request.out, interrupted, request, label=label)
        if interrupted():
            return


def _search_elsewhere(tasks: Sequence[tuple[Request, str]], config: Path | None) -> None:
    """Search with some of the seeds in a process of its own, from the files."""
    request, _ = tasks[0]
    with plain_errors(), silence(request.quiet), interrupts() as interrupted:
        maker = check_request(request, *folders_of(config))
        with silence(True):  # what is to be said of the files has been said
            new_search = read_searches(request, maker)
        _search_seeds(new_search, tasks, interrupted)


def folders_of(config: Path | None) -> list[Path]:
    """Where modules are looked for besides the working directory."""
    return [config.absolute().parent] if config else []


def search_into(
    search: Search,
    out: Path,
    interrupted: Callable[[], bool],
    request: Request | None = None,
    config: Path | None = None,
    label: str = "",
) -> dict[str, Any]:
    """Search, or go on, until the end or an interrupt, write the results, and return the metrics.

    Arguments as in :func:`run_search`; ``label`` is shown before the progress of one of
    several, of which one tells the diagnosis.
    """
    with alone_in(out):
        if load_checkpoint(search, out / CHECKPOINT):
            notice(f"Going on after step {search.step} of {search.total_steps}.")
        else:
            refuse_results(out, result_files(out, request, config))
        for text in search.diagnosis.notes if not label else ():
            notice(text)
        # At once, so that a folder that cannot be written to is found before the search rather than after it.
        save_checkpoint(search, out / CHECKPOINT)
        stopped = run_with_progress(search, out, interrupted, label)
        save_checkpoint(search, out / CHECKPOINT)
        if request is not None and not is_own_config(out, config):
            write_config(request, out)
        with busy("writing the results"):
            metrics = write_results(search, out, _about(request))
        if not stopped:
            remove_checkpoint(out / CHECKPOINT)
    return metrics


def _about(request: Request | None) -> dict[str, Any]:
    """What the graph's file says of where it comes from."""
    if request is None:
        return {}
    about = {"processors": request.processors, "start_seconds": request.start, "end_seconds": request.end}
    return {name: value for name, value in about.items() if value is not None}


def _tell(
    metrics: Mapping[str, Any],
    out: Path,
    request: Request | None,
    truth: Mapping[str, Sequence[str]] | None = None,
    already: bool = False,
) -> None:
    """Print the result as it is asked for; ``already`` if there was nothing left to do."""
    if not metrics["finished"]:
        notice(f"Stopped. The best graph so far is in {out}; the same command resumes.")
    if request is not None and request.json:
        print_json(metrics)
        return
    if already:
        say(f"This search is finished already; its results are in {out}.")
    print_summary(metrics, load_grafx(out)[0], truth)
    if not already:
        files = RESULT_FILES if request is None else (*RESULT_FILES, CONFIG_FILE)
        say(f"Results are in {out}: {', '.join(files)}.")


def print_json(metrics: Mapping[str, Any]) -> None:
    """Print the metrics of a search as one object."""
    print(json.dumps({name: value for name, value in metrics.items() if name != "history"}, indent=1))
