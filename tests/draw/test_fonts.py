"""Texts in any script."""

import warnings

import pytest

from grafx.draw import draw_grafx, fonts
from grafx.draw.blocks import measure


@pytest.fixture
def forgotten():
    """Nothing that a process has learned about its fonts, before and after."""
    caches = fonts._installed, fonts._is_there, fonts._say_missing, measure
    for each in caches:
        each.cache_clear()
    yield
    for each in caches:
        each.cache_clear()


NAMES = ["混响", "ダイナミクス", "컴프", "🎛️", "صوت", "été", "\U0010fffd"]


def test_names_in_any_script_give_one_warning_at_most(graphs, forgotten, tmp_path):
    G = graphs.make(["in", *NAMES, "out"], [(i, i + 1) for i in range(len(NAMES) + 1)])
    for node in G:
        G.nodes[node]["name"] = NAMES[node % len(NAMES)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            fig, ax = draw_grafx(G, node_inside="node_type", node_above="name")
            for suffix in ("png", "svg", "pdf"):
                fig.savefig(tmp_path / f"a.{suffix}")
    assert len(caught) == 1 and "no font has them" in str(caught[0].message)
    texts = {text.get_text() for text in ax.texts}
    assert "été" in texts and fonts.MISSING in texts


def test_fonts_for_other_scripts_are_used_where_they_are(forgotten, monkeypatch):
    from matplotlib.font_manager import fontManager

    other = next((font.name for font in fontManager.ttflist if font.name == "DejaVu Serif"), None)
    if other is None:
        pytest.skip("matplotlib comes without its second font")
    monkeypatch.setattr(fonts, "FALLBACKS", ("No Such Font", other))
    assert fonts.font_of("plain", 8).get_family() == fonts.font_of("x", 8).get_family()
    assert other not in fonts.font_of("plain", 8).get_family()
    assert fonts.font_of("é", 8).get_family()[-1] == other
    assert fonts.writable("é\u0378x") == f"é{fonts.MISSING}x"  # which is no character


def test_plain_text_looks_for_no_fonts(forgotten, monkeypatch):
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: pytest.fail("looked for fonts"))
    assert fonts.writable("plain") == "plain" and measure("plain", 8.0) > 0
