"""Pages are left beside results, and written for any saved graph."""

import json

import pytest

from grafx.cli.report import REPORT_FILE


def title_of(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") or text.startswith("<!DOCTYPE html>")
    return text[text.index("<title>") + 7 : text.index("</title>")]


def test_a_search_leaves_its_page(searched):
    page = searched.folder / REPORT_FILE
    assert "mix" in title_of(page)
    assert page.stat().st_size < 10_000_000
    assert str(page) in " ".join(searched.output.split())


def test_the_page_is_written_anew_the_same(cli, searched, tmp_path):
    out = tmp_path / "again.html"
    result = cli.run("report", searched.folder, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == (searched.folder / REPORT_FILE).read_bytes()


def test_other_stems_and_no_mix(cli, material, searched, tmp_path):
    out = tmp_path / "again.html"
    result = cli.run("report", searched.folder / "graph.json", *material.stems, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.is_file()


def test_the_truth_is_told(cli, searched, tmp_path):
    truth, out = tmp_path / "known.json", tmp_path / "page.html"
    truth.write_text(json.dumps({"master": ["a limiter </script> of old"]}), encoding="utf-8")
    result = cli.run("report", searched.folder, "--truth", truth, "--out", out)
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    assert "of old" in text and "limiter </script>" not in text


@pytest.mark.parametrize(
    "options, words, status",
    [
        (["--truth", "none.json"], ["none.json"], 1),
        (["--truth", "list.json"], ["list.json", "truth"], 1),
        (["--out", "page.txt"], ["page.txt", ".html"], 2),
        (["--out", "folder.html"], ["folder.html"], 2),
        (["--mix", "none.wav"], ["none.wav"], 1),
        (["--processors", "nothing"], ["MODULE:FUNCTION"], 2),
    ],
)
def test_refusals(cli, searched, tmp_path, monkeypatch, options, words, status):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "folder.html").mkdir()
    before = cli.snapshot(searched.folder)
    cli.refused(cli.run("report", searched.folder, *options), *words, status=status)
    assert cli.snapshot(searched.folder) == before
    cli.refused(cli.run("report", tmp_path / "nowhere", *options[:0]), "nowhere")


def test_a_page_that_cannot_be_written_loses_nothing(cli, search_arguments, tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise OSError(28, "No space left on device", "report.html")

    monkeypatch.setattr("grafx.report.write_report", broken)
    out = tmp_path / "out"
    result = cli.run(*search_arguments, out)
    assert result.exit_code == 0, result.output
    assert "page could not be written" in result.stderr
    assert (out / "metrics.json").is_file() and not (out / REPORT_FILE).exists()
    monkeypatch.undo()
    assert cli.run(*search_arguments, out).exit_code == 0
    assert (out / REPORT_FILE).is_file()  # by the same command


def test_json_is_all_that_is_printed(cli, search_arguments, tmp_path):
    result = cli.run(*search_arguments, tmp_path / "out", "--json")
    assert json.loads(result.stdout)["finished"]
    assert (tmp_path / "out" / REPORT_FILE).is_file()


def test_an_interrupted_search_leaves_none(cli, search_arguments, tmp_path, monkeypatch):
    import grafx.cli.search as command

    monkeypatch.setattr(command, "run_with_progress", lambda *arguments: True)
    result = cli.run(*search_arguments, tmp_path / "out")
    assert result.exit_code == 130
    assert not (tmp_path / "out" / REPORT_FILE).exists()
