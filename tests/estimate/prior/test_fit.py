"""Priors that are fitted to what searches have found."""

import numpy as np
import pytest
from song_runs import write_run, write_runs

pytest.importorskip("pyarrow")

from grafx.processors.contract import contract_of

from grafx.errors import EstimateError
from grafx.estimate.prior import draw_graph, load_prior, parse_prior
from grafx.estimate.prior.distributions import Fixed, Normal, Spike, Uniform
from grafx.estimate.prior.fit import fit_distribution, fit_prior
from grafx.estimate.prior.randomness import Draws
from grafx.search.mixing.console import console_processors
from grafx.search.mixing.weighted import inner


@pytest.fixture(scope="module")
def controls():
    """A linear and a logarithmic control, by name."""
    processor = inner(console_processors(44100, ["compressor"])["compressor"])
    return {leaf.name: leaf.control for leaf in contract_of(processor).leaves()}


@pytest.mark.parametrize("name", ["threshold_db", "attack_ms"])
@pytest.mark.parametrize(
    "distribution",
    [
        lambda low, high: Uniform((low, high)),
        lambda low, high: Normal((low * high) ** 0.5 if low > 0 else (low + high) / 2, 0.05, (low, high)),
        lambda low, high: Spike(0.4, low, Uniform((low, high))),
    ],
)
def test_what_was_drawn_is_found(controls, name, distribution):
    control = controls[name]
    low, high = {"threshold_db": (-45.0, -15.0), "attack_ms": (1.0, 30.0)}[name]
    true = distribution(low, high)
    values = [true.draw(Draws("test", i), control) for i in range(1000)]
    found = fit_distribution(values, control)
    assert type(found) is type(true)
    again = [found.draw(Draws("again", i), control) for i in range(1000)]
    scale = np.log if control.scale == "log" else np.asarray
    spans = scale(np.array([low, high]))
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        one, other = (np.quantile(scale(np.array(each)), share) for each in (values, again))
        assert abs(one - other) < 0.05 * (spans[1] - spans[0])
    if isinstance(found, Spike):
        assert found.probability == pytest.approx(0.4, abs=0.05) and found.at == low


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], type(None)),
        ([-20.0] * 3, Fixed),
        ([-20.0], Normal),
        ([-20.0, -10.0], Normal),
        ([99.0] * 5, Fixed),
        ([-60.0, 0.0] * 20, Spike),
    ],
)
def test_few_values(controls, values, expected):
    control = controls["threshold_db"]
    found = fit_distribution(values, control)
    assert type(found) is expected
    for i in range(20 if found else 0):
        assert control.low <= found.draw(Draws("few", i), control) <= control.high


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return fit_prior(write_runs(tmp_path_factory.mktemp("fit") / "runs", 12), "mine")


def test_kinds_are_those_that_were_found(prior):
    weights = {name: kind.weight for name, kind in prior.kinds.items()}
    assert weights == {"gain": 1, "compressor": 0.667, "eq": 0.667, "reverb": 0.667}
    assert prior.name == "mine" and prior.sample_rate == 44100
    compressor = prior.kinds["compressor"]
    assert (
        compressor.processor == "Compressor"
        and compressor.options["knee"] == "quadratic"
        and compressor.group == "dynamics"
    )
    assert compressor.controls["ratio"] == Fixed(4.0)
    assert compressor.limits["threshold_db"] == (-30, -21)
    assert prior.kinds["reverb"].controls.keys() == {"decay_ms"}


def test_the_console_is_like_those_of_the_songs(prior):
    console = prior.structures["console"]
    assert (console.stems.count, console.buses.count, console.returns.count) == ((2, 2), (0, 0), (0, 0))
    assert console.stems.length == (3, 4) and console.master.length == (2, 2)
    for seed in range(10):
        G = draw_graph(prior, seed)
        G.validate()
        assert len(G) <= prior.max_nodes
        assert {data["node_type"] for _, data in G.nodes(data=True)} <= {"in", "mix", "out", *prior.kinds}


def test_stems_of_one_name_have_settings_of_their_own(prior):
    stems = prior.kinds["gain"].by_stem
    assert stems.keys() == {"vocals"}  # whose settings alone are known
    assert stems["vocals"]["left_gain_db"] == Fixed(-6.0)
    assert prior.kinds["compressor"].by_stem["drums"]["ratio"] == Fixed(4.0)


def test_its_file_is_read(prior, tmp_path):
    (tmp_path / "mine.toml").write_text(prior.to_toml(), encoding="utf-8")
    assert load_prior(tmp_path / "mine.toml") == prior == parse_prior(prior.to_toml())


def test_groups_and_returns(tmp_path):
    settings = {("x", "send"): {"left_gain_db": -12.0, "right_gain_db": -10.0}}
    for i in range(3):
        write_run(
            tmp_path / f"{i}", ["x", "y"], groups={"band": ["x"]}, returns={"room": ["reverb"]}, settings=settings
        )
    prior = fit_prior(tmp_path)
    console = prior.structures["console"]
    assert (console.buses.count, console.returns.count, console.returns.length, console.sends) == (
        (1, 1),
        (1, 1),
        (1, 1),
        1,
    )
    assert prior.kinds["send"].processor == "Send" and prior.kinds["send"].controls["send_db"].value == -11
    for seed in range(5):
        draw_graph(prior, seed).validate()


def test_types_that_a_prior_cannot_have_are_told(tmp_path):
    write_run(tmp_path / "a", ["x"])
    file = tmp_path / "a" / "graph.json"
    file.write_text(file.read_text().replace('"eq"', '"mystery"'))
    notes = []
    assert "mystery" not in fit_prior(tmp_path, notice=notes.append).kinds
    assert len(notes) == 1 and "'mystery'" in notes[0]
    file.write_text(
        file.read_text().replace('"compressor"', '"m2"').replace('"gain"', '"m3"').replace('"reverb"', '"m4"')
    )
    with pytest.raises(EstimateError, match="nothing to fit"):
        fit_prior(tmp_path, notice=notes.append)


def test_searches_that_are_not_done_tell_nothing(tmp_path):
    write_run(tmp_path / "a", ["x"], finished=False)
    with pytest.raises(EstimateError, match="no finished search"):
        fit_prior(tmp_path)
