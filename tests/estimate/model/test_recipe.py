from dataclasses import replace

import pytest

from grafx.errors import EstimateError
from grafx.estimate.prior import load_prior
from grafx.estimate.prior.prior import PRESETS as PRIORS
from grafx.estimate.recipe import PRESETS, load_recipe, parse_recipe


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
def test_presets_load_and_stay_themselves(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert parse_recipe(recipe.plain) == recipe
    assert load_prior(recipe.data.prior)
    assert {path.stem for path in PRESETS.glob("*.toml")} == {"tiny", "small", "base"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[training]\nstepz = 3", "'stepz'.*steps"),
        ("[training]\nsteps = 0", "steps is 0"),
        ("[training]\nsteps = 2.5", "steps is 2.5"),
        ("[data]\nseconds = 'long'", "seconds is 'long'"),
        ("[data]\ndry = 'maybe'", "dry is 'maybe'.*given, absent, either"),
        ("[network]\nwidth = 20\nheads = 3", "width"),
        ("network = 3", "table"),
        ("[netwerk]", "netwerk"),
        ("steps = ", "cannot be read"),
    ],
)
def test_what_is_not_possible_is_named(tmp_path, text, says):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(EstimateError, match=f"(?s)mine.*{says}"):
        load_recipe(file)


def test_unknown_presets_are_refused_with_those_there_are():
    with pytest.raises(EstimateError, match=r"'tinny'.*tiny"):
        load_recipe("tinny")


def test_changes_are_checked(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[training]\nsteps = 5\n")
    recipe = load_recipe(file)
    assert recipe.name == "mine"
    changed = recipe.having(training={"steps": 7})
    assert changed == replace(recipe, training=replace(recipe.training, steps=7))
    with pytest.raises(EstimateError, match="examples is 0"):
        recipe.having(data={"examples": 0})


def test_what_lies_beside_a_recipe_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    for name in ("sounds", "drums"):
        (tmp_path / "there" / name).mkdir()
    (tmp_path / "there" / "own.toml").write_text((PRIORS / "drums.toml").read_text())
    file = tmp_path / "there" / "mine.toml"
    file.write_text("[data]\nprior = 'own.toml'\nsounds = 'sounds'\n")
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("there/mine.toml")
    assert load_prior(recipe.data.prior).name
    assert (tmp_path / recipe.data.sounds).samefile(tmp_path / "there" / "sounds")
    file.write_text("[data]\nprior = 'elsewhere.toml'\nsounds = 'drums'\n")  # a generator, whatever lies there
    recipe = load_recipe("there/mine.toml")
    assert (recipe.data.prior, recipe.data.sounds) == ("elsewhere.toml", "drums")
