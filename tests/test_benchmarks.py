"""The benchmarks run, alternate, and keep their page; nothing here depends on a time."""

import math
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
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


@pytest.mark.slow(seconds=200)
def test_every_section_runs_without_a_peer():
    """All that is asked of one quick run, which takes long, stands in one test, so that it runs once."""
    page = ROOT / "docs" / "benchmarks.md"
    before = page.read_bytes()
    quick = run("--quick")
    assert page.read_bytes() == before, "a quick run must not be recorded"
    sections_run(quick)
    schedules_are_ranked_as_they_should_be(quick.stdout)
    without_a_gpu_a_section_says_so(quick.stdout)
    the_floor_lies_below_the_render(quick.stdout)
    streams_are_as_fast_as_their_blocks(quick.stdout)
    tensors_are_counted(quick.stdout)


def sections_run(quick):
    titles = [line for line in quick.stdout.splitlines() if line.startswith("## ")]
    assert titles == [
        "## Consoles",
        "## Growth",
        "## Floor",
        "## Kernels",
        "## Switches",
        "## Inference",
        "## Dynamics",
        "## Filters",
        "## Reverbs",
        "## Desk",
        "## Waveshapers",
        "## Factorized dynamics",
        "## Modulation",
        "## Streaming",
        "## CUDA",
        "## Schedules",
        "## Large graphs",
        "## Memory",
        "## Aggregation",
        "## Kicks",
        "## Inversion",
        "## Recovery",
        "## Chorus recovery",
        "## Sessions",
        "## Many songs",
        "## Search",
        "## Settings",
        "## Data for blind estimation",
        "## GraphBench",
        "## Drawings",
    ]
    assert "fails" not in quick.stdout, quick.stderr
    assert "Error" not in quick.stderr


def schedules_are_ranked_as_they_should_be(text):
    cells = {row[0]: row for row in rows(text.partition("## Schedules")[2].partition("## Large")[0])[:3]}
    greedy, beam, optimal = (int(row[1]) for row in cells.values())
    assert list(cells) == ["greedy", "beam", "optimal, proven for 5 of 5"]
    assert greedy >= beam >= optimal > 0
    assert cells["greedy"][3] == f"{100 * (greedy / optimal - 1):.2f} %"
    assert cells["optimal, proven for 5 of 5"][3] == "0.00 %"
    assert all(row[2] == row[4] == row[5] == row[7] == row[8] == "–" for row in cells.values())


def without_a_gpu_a_section_says_so(text):
    section = text.partition("## CUDA")[2].partition("## Schedules")[0]
    assert ("*Not measured: there is no CUDA device.*" in section) != torch.cuda.is_available()


def the_floor_lies_below_the_render(text):
    section = text.partition("## Floor")[2].partition("## Kernels")[0]
    *parts, floor, render = [[row[0], float(row[1])] for row in rows(section)]
    assert len(parts) == 3 and all(row[1] > 0 for row in parts)
    assert floor == ["floor", pytest.approx(sum(row[1] for row in parts), rel=0.01)]
    assert render[0] == "render"


def streams_are_as_fast_as_their_blocks(text):
    streaming = text.partition("## Streaming")[2].partition("## CUDA")[0]
    blocks, minutes, sounds = rows(streaming)[:6], rows(streaming)[6:8], rows(streaming)[8:]
    assert [row[0] for row in sounds] == ["in blocks", "in blocks", "at once"]
    for row in blocks:
        of_sound, mean, slowest, share = (float(cell.replace(",", "")) for cell in row[2:])
        assert slowest >= 0.99 * mean > 0
        assert share == pytest.approx(mean / of_sound, rel=0.02)
    for row in minutes:
        of_sound, slowest, share, late = (float(cell.replace(",", "")) for cell in row[1:])
        assert share == pytest.approx(slowest / of_sound, rel=0.02)
        assert (late > 0) == (share > 1)


def tensors_are_counted(text):
    memory = text.partition("## Memory")[2].partition("## Aggregation")[0]
    found = {row[0]: row[3] for row in rows(memory) if row[0] != "GRAFX 0.6.0"}
    assert float(found["forward and backward"]) > float(found["with `checkpoint=True`"]) > 0
    assert float(found["output, then `signals.tensor()`"]) >= float(found["output"]) > 0


@pytest.mark.slow
def test_a_peer_fills_its_columns_and_is_the_same_when_it_is_ours():
    table = rows(run("schedules", "--quick", "--peer", sys.executable).stdout)
    for row in table:
        if not row[0].startswith("optimal"):
            assert row[1] == row[2] and row[3] == row[4] and row[5] == "0"
            assert row[8].endswith("×")


@pytest.mark.slow
def test_kernels_of_a_peer_compute_the_same_and_missing_packages_leave_a_dash():
    result = run("kernels", "--quick", "--peer", sys.executable)
    table = {tuple(row[:2]): row[2:] for row in rows(result.stdout)}
    for other in ("GRAFX 0.6.0", "GRAFX 0.6.0, repaired"):
        for kernel in ("one-pole smoothing", "convolution with 600 taps"):
            assert float(table[kernel, other][-1]) < 1e-5
    if find_spec("dasp_pytorch") is None:
        cells = table["2 biquads in series", "dasp"]
        assert cells[1] == cells[2] == cells[4] == cells[5] == cells[6] == "–"


@pytest.mark.slow
def test_dynamics_are_compared_with_those_packages_that_are_there():
    result = run("dynamics", "--quick", "--peer", sys.executable)
    speed, *sounds = result.stdout.split("Beside pedalboard's")
    assert len(sounds) == 4
    packages = {"diffFx-pytorch": "diffFx_pytorch", "torchcomp": "torchcomp", "dasp": "dasp_pytorch"}
    for _, other, *cells in rows(speed):
        assert float(cells[0]) > 0 and float(cells[3]) > 0
        assert find_spec(packages.get(other, "grafx")) or cells[1] == cells[4] == cells[6] == "–"
    for plugin, sound in zip(("Compressor", "Limiter", "NoiseGate"), (sounds[0], sounds[1], sounds[3]), strict=True):
        (cells,) = rows(sound)
        nearest = cells[-2]  # before the largest difference of a sample
        assert float(nearest) < -70 if find_spec("pedalboard") else nearest == "–", plugin


SAMPLE_RATE = 44100


def peaks(u, attack_ms, release_ms):
    """The envelope of a plug-in, whose times are 2π time constants."""
    rise, fall = (math.exp(-2000 * math.pi / (ms * SAMPLE_RATE)) if ms else 0.0 for ms in (attack_ms, release_ms))
    found = [0.0]
    for sample in u:
        alpha = rise if sample > found[-1] else fall
        found.append(alpha * found[-1] + (1 - alpha) * sample)
    return np.array(found[1:])


def plugin_compressor(x, threshold_db, ratio, attack_ms, release_ms):
    over = peaks(np.abs(x), attack_ms, release_ms) / 10 ** (threshold_db / 20)
    return x * np.maximum(over, 1) ** (1 / ratio - 1)


def plugin_limiter(x, threshold_db, release_ms):
    y = plugin_compressor(plugin_compressor(x, -10, 4, 2, 200), threshold_db, 1000, 0, release_ms)
    return np.clip(y * 10 ** ((3.75 - threshold_db) / 20), -1, 1)


def plugin_noise_gate(x, threshold_db, ratio, attack_ms, release_ms):
    over = peaks(np.sqrt(peaks(x**2, 0, 50)), attack_ms, release_ms) / 10 ** (threshold_db / 20)
    return x * np.minimum(over, 1) ** (ratio - 1)


@pytest.fixture
def cases(monkeypatch):
    """The package ``cases`` as workers import it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import cases.compressors
    import cases.drums
    import cases.likeness

    return cases


TIMES = {"attack_ms": 5.0, "release_ms": 100.0}


@pytest.mark.parametrize(
    ("plugin", "reference", "settings"),
    [
        ("Compressor", plugin_compressor, {"threshold_db": -30.0, "ratio": 4.0, **TIMES}),
        ("Limiter", plugin_limiter, {"threshold_db": -12.0, "release_ms": 100.0}),
        ("NoiseGate", plugin_noise_gate, {"threshold_db": -20.0, "ratio": 4.0, **TIMES}),
    ],
)
def test_step_by_step_our_sounds_become_those_of_a_plugin(cases, tmp_path, plugin, reference, settings):
    x = cases.drums.drum_loop(SAMPLE_RATE // 3, SAMPLE_RATE)
    y = np.stack([reference(channel.astype(float), **settings) for channel in x]).astype(np.float32)
    np.savez(tmp_path / "sound.npz", x=x, y=y)
    found = cases.likeness.likeness(plugin, settings, str(tmp_path / "sound.npz"))()
    first, *_, last = found["differences"]
    assert first > -20 and last < -80
    assert found["largest"] < 1e-3 and found["correlation"] < 0.999


@pytest.mark.parametrize(("factor", "difference", "level"), [(1.0, -150.0, 0.0), (0.5, 0.0, 6.021)])
def test_sounds_are_compared_in_decibels_of_the_other(cases, tmp_path, factor, difference, level):
    x = 0.1 * cases.drums.drum_loop(2000, SAMPLE_RATE)
    np.savez(tmp_path / "sound.npz", x=x, y=factor * x)
    settings = {"ceiling_db": -1.0, "release_ms": 100.0}  # that nothing reaches
    found = cases.likeness.likeness("BrickwallLimiter", settings, str(tmp_path / "sound.npz"))()
    assert found["differences"] == [difference] and found["level"] == level
    assert found["largest"] == pytest.approx((1 - factor) * np.abs(x).max())
    assert found["correlation"] == pytest.approx(1)


def test_the_drum_loop_is_always_the_same(cases):
    short, long = (cases.drums.drum_loop(samples, 8000) for samples in (10_000, 130_000))
    assert short.shape == (2, 10_000) and short.dtype == np.float32
    np.testing.assert_array_equal(short, long[:, :10_000])
    np.testing.assert_array_equal(short, long[:, 64_000:74_000])
    assert np.abs(long).max() == pytest.approx(0.9) and (long[0] != long[1]).any()


def smoothed(u, attack, release, rest):
    """A recursion that attacks where a gain falls."""
    found = [rest]
    for value in u:
        alpha = attack if value < found[-1] else release
        found.append(alpha * found[-1] + (1 - alpha) * value)
    return np.array(found[1:])


@pytest.mark.parametrize("package", ["difffx", "torchcomp", "dasp"])
def test_compressors_alike_compute_what_is_said_of_the_others(cases, package):
    x = np.random.default_rng(0).standard_normal((2, 3000))
    settings = {"threshold_db": -12.0, "ratio": 3.0, "knee_db": 6.0, "attack_ms": 2.0, "release_ms": 60.0}
    levels = {"difffx": np.abs(x.mean(0)), "torchcomp": np.sqrt((x**2).mean(0)), "dasp": np.abs(x.sum(0))}
    over = 20 * np.log10(levels[package]) + 12
    bend = np.where(np.abs(over) < 3, (over + 3) ** 2 / 12, np.maximum(over, 0))
    decibels = -2 / 3 * (np.maximum(over, 0) if package == "torchcomp" else bend)
    span = math.log(9) if package == "dasp" else 2.2
    attack, release = (
        math.exp(-span * 1000 / (settings[f"{name}_ms"] * SAMPLE_RATE)) for name in ("attack", "release")
    )
    if package == "torchcomp":
        gain = smoothed(10 ** (decibels / 20), attack, release, 1.0)
    else:
        gain = 10 ** (smoothed(decibels, attack, attack if package == "dasp" else release, 0.0) / 20)
    compress = getattr(cases.compressors, f"one_band_ours_like_{package}")()
    tensors = {name: torch.tensor([value]).double() for name, value in {**settings, "makeup_db": 6.0}.items()}
    y = compress(torch.from_numpy(x).unsqueeze(0), tensors)[0].numpy()
    np.testing.assert_allclose(y, 10 ** (6 / 20) * gain * x, rtol=1e-4, atol=1e-5)


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


def test_a_recording_that_is_missing_is_refused(benchmarks, capsys):
    with pytest.raises(SystemExit):
        benchmarks.__main__.main(["dynamics", "--audio", "nowhere.wav"])
    assert "there is no recording nowhere.wav" in capsys.readouterr().err


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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_the_script_for_a_gpu_says_what_it_would_do_without_one():
    script = ROOT / "benchmarks" / "cuda.sh"
    command = ["bash", str(script), "--python", sys.executable]
    run = subprocess.run([*command, "--dry"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    parts = re.findall(r"^== (\S+) \(at most (\d+) s\): (.*)$", run.stdout, re.M)
    assert [name for name, _, _ in parts] == ["tests", "kernels-tests", "page", "search", "profile"]
    assert sum(int(seconds) for _, seconds, _ in parts) <= 600
    for _, _, part in parts:
        for path in re.findall(r"tests/\S+\.py", part):
            assert (ROOT / path).is_file()
    assert subprocess.run([*command, "--nope"], capture_output=True).returncode == 2
    if not torch.cuda.is_available():
        undone = subprocess.run(command, capture_output=True, text=True)
        assert undone.returncode == 3 and "Nothing was measured" in undone.stdout


@pytest.mark.slow
@pytest.mark.parametrize("part", ["search", "profile"])
def test_parts_for_a_gpu_run_on_the_cpu(part, tmp_path):
    command = [sys.executable, "-m", "benchmarks.on_device", part, "--device", "cpu", "--quick"]
    command += ["--out", str(tmp_path / "trace.json")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "steps in" in run.stdout if part == "search" else (tmp_path / "trace.json").stat().st_size > 1000
