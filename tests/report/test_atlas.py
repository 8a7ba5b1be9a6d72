"""The atlas of many songs: what it counts, that it stays small, and that it works in a browser."""

import json
import re
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest
from song_runs import write_run, write_runs

pytest.importorskip("pyarrow")

from grafx.report.atlas import Atlas, atlas_html, write_atlas
from grafx.report.atlas import model as atlas_model
from grafx.search.songs.collect import FoundProcessor, Run, read_runs
from grafx.search.songs.state import SongState


def atlas_of(runs):
    atlas = Atlas(runs)
    for run, parts in read_runs(runs):
        atlas.add(run, parts)
    return atlas


def part(kind="compressor", owner="drums", drywet=0.5, **settings):
    return FoundProcessor(1, kind, owner, "stem", owner, 1, drywet, settings, None)


def made(values, name="threshold_db", kind="compressor", stems=("drums",)):
    """An atlas of songs with one processor each."""
    atlas = Atlas("runs")
    for i, value in enumerate(values):
        run = Run(f"song {i}", SongState(f"song {i}", "done"), G=SimpleNamespace(nodes=lambda data: []), metrics={})
        atlas.add(run, [part(kind, stems[i % len(stems)], **{name: value})])
    return atlas


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("many") / "runs", 6)


def test_what_survives_is_counted(runs, tmp_path):
    model = atlas_of(runs).model(tmp_path)
    assert model["states"] == {"done": 4, "failed": 1, "running": 0, "waiting": 1}
    assert (model["songs"], model["processors"], model["console"], model["seconds"]) == (6, 36, 48, 406)
    assert model["survival"]["compressor"] == {"": [8, 12], "drums": [4, 4], "vocals": [0, 4], "master": [4, 4]}
    assert model["stems"] == ["drums", "master", "vocals"] and model["kinds"] == ["gain", "compressor", "eq", "reverb"]


def test_distributions(runs, tmp_path):
    settings = atlas_of(runs).model(tmp_path)["settings"]["compressor"]
    threshold = next(each for each in settings["numbers"] if each["title"] == "threshold")
    count, low, middle, high, bins = threshold["by"]["drums"]
    assert (count, middle, threshold["unit"]) == (4, -28.5, "dB") and sum(bins) == 4 and low < middle < high
    (curve,) = atlas_of(runs).model(tmp_path)["settings"]["eq"]["curves"]
    assert curve["hertz"] == [63, 125, 1000] and curve["by"]["drums"][2] == [2.5, 2, -3]


@pytest.mark.parametrize("name", ["threshold_db", "frequency_hz", "ratio", "odd"])
def test_histograms_against_numpy(name, tmp_path):
    values = np.random.default_rng(0).lognormal(3, 1.5, 500).astype(np.float32)
    (one,) = [
        n
        for n in made(values.tolist(), name).model(tmp_path)["settings"]["compressor"]["numbers"]
        if n["title"] != "wet"
    ]
    assert one["scale"] == ("log" if name in ("frequency_hz", "ratio") else "linear")
    low, high = np.percentile(values, [1, 99])
    space = np.geomspace if one["scale"] == "log" else np.linspace
    expected, _ = np.histogram(values.clip(low, high), space(low, high, 25))
    count, *spread, bins = one["by"][""]
    assert count == sum(bins) == 500 and np.abs(np.array(bins) - expected).sum() <= 2  # at rounded edges
    assert spread == pytest.approx(np.percentile(values, [10, 50, 90]).tolist(), rel=1e-4)


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [float("nan"), 2.0], [float("inf")], [-1e30, 1e30]])
def test_any_numbers_make_a_page(values, tmp_path):
    atlas_html(made(values).model(tmp_path))


def test_it_stays_small(monkeypatch, tmp_path):
    monkeypatch.setattr(atlas_model, "MOST_SONGS", 64)
    model = made(np.arange(300.0), stems=[f"stem {chr(97 + i)}" for i in range(26)] * 2).model(tmp_path)
    assert model["songs"] == 300 and 32 <= len(model["rows"]) <= 64
    places = [int(row[0].split()[1]) for row in model["rows"]]
    assert len(set(np.diff(places))) == 1
    assert len(model["stems"]) == atlas_model.MOST_STEMS + 1 and model["stems"][-1] == "others"
    by = model["settings"]["compressor"]["numbers"][0]["by"]
    assert sum(each[0] for stem, each in by.items() if stem) == by[""][0] == 300


def test_it_asks_nobody_and_runs_no_names(runs, tmp_path):
    html = atlas_html(atlas_of(runs).model(tmp_path) | {"title": "<script>alert(1)</script>"})
    assert "<script>alert" not in html and "<b>damaged" not in html
    assert "default-src 'none'" in unescape(html) and not re.findall(r"(?:src|href)=\"(?!#|data:)", html)


@pytest.mark.parametrize("number", [0, 1])
def test_few_songs(number, tmp_path, open_page):
    for i in range(number):
        write_run(tmp_path / f"song {i}", ["x"])
    atlas = atlas_of(tmp_path) if number else Atlas(tmp_path)
    page = open_page(write_atlas(tmp_path / "atlas.html", atlas))
    assert page.locator("#songs tbody tr").count() == number
    assert page.locator("#survival").count() == number


@pytest.fixture
def page(runs, tmp_path, open_page):
    (runs / "Song 1" / "report.html").write_text("a report")
    return open_page(write_atlas(runs / "atlas.html", atlas_of(runs)), viewport={"width": 1200, "height": 900})


def names(page):
    return page.locator("#songs tbody th").all_inner_texts()


def test_songs_are_sorted_and_filtered(page):
    assert names(page) == [f"Song {i}" for i in range(6)]
    sort = page.get_by_role("button", name="Loss / plain")
    sort.focus()
    page.keyboard.press("Enter")
    assert names(page) == [f"Song {i}" for i in range(6)]
    page.keyboard.press("Enter")
    assert names(page) == ["Song 3", "Song 2", "Song 1", "Song 0", "Song 4", "Song 5"]  # those without come last
    assert page.locator("th[aria-sort=descending]").inner_text() == "Loss / plain"
    page.locator("#songs input").fill("DAMAGED")
    assert names(page) == ["Song 4"] and "<b>damaged</b>" in page.locator("#songs tbody").inner_text()
    page.locator("#songs input").fill("")
    page.locator("#songs select").select_option("waiting")
    assert names(page) == ["Song 5"]


def test_songs_lead_to_their_reports(page):
    links = page.locator("#songs tbody a")
    assert [link.inner_text() for link in links.all()] == ["Song 1"]
    links.first.click()
    page.wait_for_load_state()
    assert page.locator("body").inner_text() == "a report"
    page.complaints.clear()  # that was a request


def test_a_cell_chooses_settings_and_their_songs(page):
    page.get_by_role("button", name="compressor, drums: 4 of 4 survived").click()
    assert page.locator("#settings select").first.input_value() == "compressor"
    assert "median −28.5 dB" in page.locator("#settings").inner_text()
    page.get_by_role("button", name="Show these songs").click()
    assert names(page) == ["Song 0", "Song 1", "Song 2", "Song 3"]
    page.locator("#settings select").nth(1).select_option("vocals")
    assert page.locator("#settings .empty").inner_text() == "No compressor was found on vocals."
    page.get_by_role("button", name="Remove the filter with compressor on drums").click()
    assert len(names(page)) == 6


def test_a_bar_of_losses_shows_its_songs(page):
    picture = page.locator("#losses .plot-picture").first
    picture.focus()
    for _ in range(80):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert names(page) == ["Song 3"]


def test_many_songs_are_shown_in_parts(tmp_path, open_page):
    page = open_page(write_atlas(tmp_path / "atlas.html", made(np.arange(250.0))))
    assert len(names(page)) == 100
    page.get_by_role("button", name="Show more").click()
    assert len(names(page)) == 250
    assert json.loads(page.locator("#grafx-atlas").inner_text())["songs"] == 250


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system(runs, open_page, scheme):
    page = open_page(write_atlas(runs / "atlas.html", atlas_of(runs)), color_scheme=scheme)
    lightness = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)"
    )
    assert (lightness > 380) == (scheme == "light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
