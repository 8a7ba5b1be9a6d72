"""The benchmarks run, alternate, and keep their page; nothing here depends on a time."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmarks(monkeypatch):
    """The package ``benchmarks``, which is not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    import benchmarks.__main__
    import benchmarks.measure
    import benchmarks.page
    import benchmarks.plot

    return benchmarks


def run(*arguments):
    result = subprocess.run([sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result


def rows(text):
    """The cells below the headings of all tables."""
    table = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [
        cells for cells, after in zip(table, [*table[1:], []], strict=True) if "---" not in (*cells[:1], *after[:1])
    ]


@pytest.fixture(scope="module")
def quick():
    page = ROOT / "docs" / "benchmarks.md"
    before = page.read_bytes()
    result = run("--quick")
    assert page.read_bytes() == before, "a quick run must not be recorded"
    return result


def test_every_section_runs_without_a_peer(quick):
    titles = [line for line in quick.stdout.splitlines() if line.startswith("## ")]
    assert titles == [
        "## Consoles",
        "## Growth",
        "## Floor",
        "## Kernels",
        "## Inference",
        "## CUDA",
        "## Schedules",
        "## Large graphs",
        "## Memory",
        "## Aggregation",
    ]
    assert "fails" not in quick.stdout, quick.stderr
    assert "Error" not in quick.stderr


def test_schedules_are_ranked_as_they_should_be(quick):
    cells = {row[0]: row for row in rows(quick.stdout.partition("## Schedules")[2].partition("## Large")[0])[:3]}
    greedy, beam, optimal = (int(row[1]) for row in cells.values())
    assert list(cells) == ["greedy", "beam", "optimal, proven for 5 of 5"]
    assert greedy >= beam >= optimal > 0
    assert cells["greedy"][3] == f"{100 * (greedy / optimal - 1):.2f} %"
    assert cells["optimal, proven for 5 of 5"][3] == "0.00 %"
    assert all(row[2] == row[4] == row[5] == row[7] == row[8] == "–" for row in cells.values())


def test_without_a_gpu_a_section_says_so(quick):
    text = quick.stdout.partition("## CUDA")[2].partition("## Schedules")[0]
    assert ("*Not measured: there is no CUDA device.*" in text) != torch.cuda.is_available()


def test_the_floor_lies_below_the_render(quick):
    text = quick.stdout.partition("## Floor")[2].partition("## Kernels")[0]
    *parts, floor, render = [[row[0], float(row[1])] for row in rows(text)]
    assert len(parts) == 3 and all(row[1] > 0 for row in parts)
    assert floor == ["floor", pytest.approx(sum(row[1] for row in parts), rel=0.01)]
    assert render[0] == "render"


def test_tensors_are_counted(quick):
    memory = quick.stdout.partition("## Memory")[2].partition("## Aggregation")[0]
    found = {row[0]: row[3] for row in rows(memory) if row[0] != "GRAFX 0.6.0"}
    assert float(found["forward and backward"]) > float(found["with `checkpoint=True`"]) > 0
    assert float(found["output, then `signals.tensor()`"]) >= float(found["output"]) > 0


def test_a_peer_fills_its_columns_and_is_the_same_when_it_is_ours():
    table = rows(run("schedules", "--quick", "--peer", sys.executable).stdout)
    for row in table:
        if not row[0].startswith("optimal"):
            assert row[1] == row[2] and row[3] == row[4] and row[5] == "0"
            assert row[8].endswith("×")


def test_kernels_of_a_peer_compute_the_same_and_missing_packages_leave_a_dash():
    result = run("kernels", "--quick", "--peer", sys.executable)
    table = {tuple(row[:2]): row[2:] for row in rows(result.stdout)}
    for other in ("GRAFX 0.6.0", "GRAFX 0.6.0, repaired"):
        for kernel in ("one-pole smoothing", "convolution with 600 taps"):
            assert float(table[kernel, other][-1]) < 1e-5
    if find_spec("dasp_pytorch") is None:
        cells = table["2 biquads in series", "dasp"]
        assert cells[1] == cells[2] == cells[4] == cells[5] == cells[6] == "–"


def test_a_repaired_convolution_takes_even_lengths_alone_and_gives_all_samples(benchmarks, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from cases.kernels import repair
    from grafx.processors.core.convolution import FIRConvolution

    lengths, x = [], torch.randn(1, 2, 40)
    convolution = FIRConvolution()
    forward = convolution.forward

    def watched(x, h):
        lengths.append(x.shape[-1] + h.shape[-1] - 1)
        return forward(x, h)

    convolution.forward = watched
    repair(convolution)
    for taps in (6, 7):
        h = torch.randn(1, 2, taps)
        torch.testing.assert_close(convolution(x, h), forward(x, h))
    assert lengths == [46, 46]


def test_an_unknown_section_is_refused(benchmarks, capsys):
    with pytest.raises(SystemExit):
        benchmarks.__main__.main(["schedule"])
    assert "there is no section schedule: choose from consoles" in capsys.readouterr().err


class Recorder:
    """A worker that notes who is asked, and answers from a list."""

    def __init__(self, name, answers, notes):
        self.name, self.answers, self.notes = name, iter(answers), notes

    def ask(self, case, arguments):
        self.notes.append(self.name)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return {"seconds": answer, "steps": [3, 4], "peak": None}

    def fresh(self):
        self.notes.append("fresh")
        return self

    def forget(self):
        self.notes.append("forget")

    def close(self):
        self.notes.append("close")


@pytest.fixture
def alternate(benchmarks, monkeypatch):
    """Alternate two workers on a quiet machine; also gives the notes of who was asked."""
    monkeypatch.setattr(benchmarks.measure, "_idle_share", lambda seconds: 1.0)

    def run(ours, theirs, **options):
        notes = []
        workers = [Recorder("a", ours, notes), Recorder("b", theirs, notes)]
        runs = [benchmarks.measure.Run(worker, "case", {}) for worker in workers]
        return benchmarks.measure.alternate(*runs, **options), notes

    return run


def test_runs_alternate_and_the_first_of_a_process_is_not_counted(alternate):
    (ours, theirs), notes = alternate([100, 1, 2, 9], [200, 5, 4, 3], repeats=3)
    assert notes == ["a", "b"] * 4 + ["forget"] * 2
    assert (ours["seconds"], theirs["seconds"]) == (2, 4)
    assert ours["steps"] == [3, 4]
    assert ours["peak"] == "–"


def test_fresh_processes_are_all_counted_and_closed(alternate):
    (ours, _), notes = alternate([100, 1, 2], [0, 0, 0], repeats=3, fresh=True)
    assert notes[:6] == ["fresh", "a", "close", "fresh", "b", "close"]
    assert ours["seconds"] == 2


def test_what_failed_is_not_asked_again_and_a_word_stands_in_for_it(benchmarks, alternate):
    unanswered = benchmarks.measure.Unanswered("fails")
    (ours, theirs), notes = alternate([1, 1, 1], [1, unanswered], repeats=2)
    assert notes == ["a", "b", "a", "b", "a", "forget", "forget"]
    assert (ours["seconds"], theirs["seconds"], theirs["steps"]) == (1, "fails", "fails")
    assert benchmarks.page.ratio(theirs["seconds"], ours["seconds"]) == "–"


@pytest.mark.parametrize(("shares", "said"), [([0.4, 0.6, 0.95], ""), ([0.4] * 40, "other programs are busy")])
def test_measurements_wait_for_other_programs_but_not_for_ever(benchmarks, monkeypatch, capsys, shares, said):
    left = iter(shares)
    monkeypatch.setattr(benchmarks.measure, "_idle_share", lambda seconds: next(left))
    benchmarks.measure.wait_for_quiet()
    assert next(left, None) is None
    assert said in capsys.readouterr().err if said else not capsys.readouterr().err


@pytest.fixture
def worker(benchmarks):
    worker = benchmarks.measure.Worker(sys.executable, "ours")
    yield worker
    worker.close()


def test_a_worker_survives_a_case_that_fails(benchmarks, worker, capsys):
    with pytest.raises(benchmarks.measure.Unanswered, match="fails"):
        worker.ask("schedules", {"seeds": [0, 1], "chains": 1, "method": "fastest"})
    assert "GraphError: Unknown method 'fastest'" in capsys.readouterr().err
    answer = worker.ask("schedules", {"seeds": [0, 2], "chains": 1, "method": "beam"})
    assert len(answer["steps"]) == 2 and answer["warnings"] == 0
    assert answer["peak"] is None or answer["peak"] > 10


def test_a_worker_without_its_package_leaves_a_dash(benchmarks):
    worker = benchmarks.measure.Worker(sys.executable, "no_such_cases")
    for _ in range(2):
        with pytest.raises(benchmarks.measure.Unanswered, match="–"):
            worker.ask("about", {})
    worker.close()


def test_a_worker_is_given_up_after_the_limit_and_starts_again(benchmarks, worker):
    with pytest.raises(benchmarks.measure.Unanswered, match="> 0 s"):
        worker.ask("about", {}, limit=0.01)
    assert "grafx" in worker.ask("about", {})["about"]


def test_nobody_measures_nothing(benchmarks):
    with pytest.raises(benchmarks.measure.Unanswered, match="–"):
        benchmarks.measure.ABSENT.ask("about", {})
    benchmarks.measure.ABSENT.forget()


def test_tables_are_markdown(benchmarks):
    table = benchmarks.page.Table("Title", ("a", "b", "c", "d", "e"), [("x", 12345, 0.01234, 123.4, "fails")])
    assert str(table).splitlines() == [
        "**Title**",
        "",
        "| a | b | c | d | e |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| x | 12,345 | 0.0123 | 123 | fails |",
    ]
    assert benchmarks.page.ratio(3.0, 1.5) == "2.00×"


def test_what_cannot_be_measured_is_not_recorded_and_plots_are_kept_with_what_is(benchmarks, monkeypatch, tmp_path):
    def measure(result):
        module = ModuleType("section", "Memory.\n\nText.\n")
        module.WORKERS, module.run = (), result
        benchmarks.__main__._measure(module, None, recorded=True)

    def not_here(bench):
        raise benchmarks.sections.NotHere("no machine")
        yield

    page = tmp_path / "benchmarks.md"
    monkeypatch.setattr(benchmarks.__main__, "PAGE", page)
    (tmp_path / "images").mkdir()
    measure(not_here)
    assert not page.exists()

    lines = [benchmarks.plot.Line("a", [(1, 2.0), (2, "fails"), (4, 3.0)], "#000000")]
    measure(lambda bench: [benchmarks.plot.Plot("growth", "A line.", "x", "y", lines)])
    assert "![A line.](images/growth.svg)" in page.read_text()
    image = (tmp_path / "images" / "growth.svg").read_bytes()
    measure(lambda bench: [benchmarks.plot.Plot("growth", "A line.", "x", "y", lines)])
    assert b"<svg" in image and image == (tmp_path / "images" / "growth.svg").read_bytes()


def test_a_section_replaces_itself_on_the_page(benchmarks):
    updated = benchmarks.page.updated
    page = updated(updated(updated("", "## Memory\n\nold\n"), "## Schedules\n\nfirst\n"), "## Memory\n\nnew\n")
    assert page == benchmarks.page.INTRODUCTION + "\n## Schedules\n\nfirst\n\n## Memory\n\nnew\n"


def test_the_page_keeps_the_order_of_the_sections(benchmarks):
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    titles = [benchmarks.sections.load(name).__doc__.partition("\n")[0] for name in benchmarks.sections.SECTIONS]
    found = [line for line in page.splitlines() if line.startswith("## ")]
    assert found == [heading for heading in (f"## {title.rstrip('.')}" for title in titles) if heading in found]
    assert found


def test_images_of_the_page_are_there():
    docs = ROOT / "docs"
    for image in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (docs / "benchmarks.md").read_text()):
        assert (docs / image).exists()
