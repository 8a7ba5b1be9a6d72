"""What the page is made of, read without a browser: all of the model, none of it as markup."""

import base64
import json
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("jinja2")

from grafx.report.page import page_html

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;\u202eabc\x00\u2028"


class Reader(HTMLParser):
    """Elements with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.open = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "script":
            self.open = (dict(attributes), [])

    def handle_data(self, data):
        if self.open:
            self.open[1].append(data)

    def handle_endtag(self, tag):
        if tag == "script":
            self.scripts.append((self.open[0], "".join(self.open[1])))
            self.open = None

    def ids(self):
        return {attributes["id"] for _, attributes in self.elements if "id" in attributes}


def data(reader):
    return json.loads(next(text for attributes, text in reader.scripts if attributes.get("id") == "grafx-model"))


def test_all_of_the_model_and_the_sounds_are_inside(song):
    reader = Reader(page_html(song.model, song.sounds))
    assert data(reader) == json.loads(json.dumps(song.model))
    held = {a["data-sound"]: base64.b64decode(text) for a, text in reader.scripts if "data-sound" in a}
    assert held == song.sounds


def test_no_text_of_the_model_becomes_markup(song):
    def hostile(value):
        if isinstance(value, str):
            return HOSTILE + value
        if isinstance(value, dict):
            return {HOSTILE + k if k not in FORM else k: hostile(v) for k, v in value.items()}
        return [hostile(v) for v in value] if isinstance(value, list) else value

    FORM = set(song.model)
    honest = Reader(page_html(song.model, song.sounds))
    model = hostile(song.model)
    reader = Reader(page_html(model, {HOSTILE + key: content for key, content in song.sounds.items()}))
    assert data(reader) == json.loads(json.dumps(model))
    assert [tag for tag, _ in reader.elements] == [tag for tag, _ in honest.elements]
    assert {a["data-sound"] for a, _ in reader.scripts if "data-sound" in a} == {
        # NUL is not a character of HTML
        (HOSTILE + key)
        for key in song.sounds
    }
    run = [text for attributes, text in reader.scripts if "type" not in attributes]
    assert run == [text for attributes, text in honest.scripts if "type" not in attributes]


def test_the_policy_names_each_script_that_runs_and_nothing_else(song):
    import hashlib

    for live, own in ((False, "'none'"), (True, "'self'")):
        reader = Reader(page_html({**song.model, "live": live}, song.sounds))
        policy = next(a["content"] for t, a in reader.elements if t == "meta" and "http-equiv" in a)
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        run = [text for attributes, text in reader.scripts if "type" not in attributes]
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run]
        assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
        assert rules["default-src"] == "'none'" and rules["connect-src"] == own
        assert rules["media-src"].split() == ["data:", "blob:", *(["'self'"] if live else [])]


def test_nothing_of_the_page_lies_elsewhere(song):
    text = page_html(song.model, {})
    for tag, attributes in Reader(text).elements:
        for name in ("src", "href", "action", "srcset", "poster"):
            assert not attributes.get(name) or attributes[name].startswith(("#", "data:")), (tag, attributes)
    assert not re.findall(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", text)


PARTS = {"spectrograms": "spectra", "loss": "losses", "story": "story", "sounds": "listen"}


@pytest.mark.parametrize("missing", [*PARTS, "chains"])
def test_what_a_model_lacks_has_no_part(song, missing):
    empty = {"spectrograms": {}, "sounds": {}, "chains": {}}.get(missing)
    model = {**song.model, missing: empty} | ({"truth": None} if missing == "chains" else {})
    ids = Reader(page_html(model, {})).ids()
    parts = {**PARTS, "chains": "chains"}
    assert {part for part in parts.values() if part in ids} == set(parts.values()) - {parts[missing]}
    if missing == "sounds":
        assert not ids & {"transport", "plain"}


def test_numbers_that_are_not_finite_are_refused(song):
    song.model["loss"]["found"] = float("nan")
    with pytest.raises(ValueError):
        page_html(song.model, {})


def test_further_files_come_before_the_page_starts(song, tmp_path):
    (tmp_path / "own.js").write_text("globalThis.own = 1;")
    (tmp_path / "own.css").write_text(".own {}")
    text = page_html(song.model, {}, [tmp_path / "own.js", tmp_path / "own.css"])
    assert text.index(".own {}") < text.index("</head>")
    run = [t for attributes, t in Reader(text).scripts if "type" not in attributes]
    assert run[-2:] == ["globalThis.own = 1;", "grafx.app.open();"]


def test_lone_surrogates_can_be_written(song):
    song.model["title"] = song.model["nodes"]["2"]["label"] = "a\ud800b\udcff"
    assert page_html(song.model, {}).encode()
