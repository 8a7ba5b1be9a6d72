"""Priors in TOML: what is wrong is named with its file, table, key and remedy."""

import pickle
import tomllib
from dataclasses import replace

import pytest

from grafx.errors import EstimateError
from grafx.estimate.prior import draw_graph, load_prior, parse_prior
from grafx.estimate.prior.prior import PRESETS

CHAIN = "[structures.chain]\nlength = 1\n"
KIND = CHAIN + '[kinds.lp]\nprocessor = "LowPassFilter"\n'
SEND = '[kinds.send]\nprocessor = "Send"\n'


def control(text):
    return f"{KIND}controls.frequency_hz = {text}\n"


def structure(text):
    return KIND.replace("chain]\nlength = 1", text)


def processor(text):
    return KIND.replace('"LowPassFilter"', text)


REFUSED = {
    # The whole file
    "[[[": "the prior is no TOML: Invalid",
    "smaple_rate = 1\n" + KIND: "the prior has the unknown key 'smaple_rate': did you mean 'sample_rate'?",
    "sample_rate = 44100.5\n" + KIND: "the prior: sample_rate is 44100.5, but must be a whole number from 1000",
    "sample_rate = true\n" + KIND: "the prior: sample_rate is True, but must be a whole number",
    "channels = 3\n" + KIND: "the prior: channels is 3, but must be a whole number from 1 to 2",
    "max_nodes = inf\n" + KIND: "the prior: max_nodes is inf, but must be a whole number of at least 3",
    f"max_nodes = 1{'0' * 400}\nband_length = -1\n" + KIND: "the prior: max_nodes is 1000",
    "band_length = [2, 1]\n" + KIND: "band_length is [2, 1], but must be two whole numbers in ascending order, from 0",
    "name = ''\n" + KIND: "the prior: name is '', but must be a text",
    "kinds = 3\n" + CHAIN: "the prior: [kinds] is 3, but must be a table",
    CHAIN: "the prior has no kinds that can stand in a chain",
    '[kinds.lp]\nprocessor = "LowPassFilter"\n': "no structures that could be drawn: give at least one of",
    # Structures
    structure("chian]"): "the prior: [structures] has the unknown key 'chian': did you mean 'chain'?",
    structure("chain]\nlenght = 1"): "[structures.chain] has the unknown key 'lenght': did you mean 'length'?",
    structure(
        "chain]\nlength = [3, 1]"
    ): "[structures.chain]: length is [3, 1], but must be two whole numbers in ascend",
    structure("chain]\nlength = [1, 4]"): "length is [1, 4], but must be at most 1, as many as there are kinds, or rep",
    structure("chain]\nlength = 0"): "length is 0, but must be two whole numbers in ascending order, from 1",
    structure("chain]\nlength = 40\nrepeats = true"): "length is 40, but must be at most 30, as max_nodes counts",
    structure("chain]\nlength = 1\nrepeats = 1"): "[structures.chain]: repeats is 1, but must be true or false",
    structure(
        "chain]\nlength = 1\nweight = -1"
    ): "[structures.chain]: weight is -1, but must be a number of at least 0",
    structure("chain]\nlength = 1\nweight = 0"): "no structures that could be drawn",
    structure(
        'groups]\norder = ["tone", "tone"]'
    ): "order is ['tone', 'tone'], but must be a list of different names of cle",
    structure('groups]\norder = ["tune"]'): "[structures.groups]: order names 'tune': did you mean 'tone'?",
    structure(
        "groups]\nsizes = { tune = 1 }"
    ): "[structures.groups.sizes] has the unknown key 'tune': did you mean 'tone'?",
    structure("groups]\nsizes = { space = 1 }"): "[structures.groups.sizes]: space is 1, but",
    structure(
        "groups]\nsizes = { tone = 0 }"
    ): "sizes is {'tone': 0}, but must be more than 0 for a group that has kinds",
    structure(
        "dag]\nnodes = [2, 3]"
    ): "[structures.dag]: nodes is [2, 3], but must be two whole numbers in ascending order, from 3",
    structure("dag]\nnodes = [4, 100]"): "nodes is [4, 100], but must be at most max_nodes, which is 32",
    structure("dag]\nforks = 2"): "[structures.dag]: forks is 2, but must be a number from 0 to 1",
    structure("console]"): "returns] has no 'count', which must be 0, or the kinds have a send: [kinds.send]",
    structure(
        "console]\nstems = { count = 0 }"
    ): "[structures.console.stems]: count is 0, but must be two whole numbers",
    structure("console]\nreturns.count = 0\nmaster = { count = 2 }"): "console.master] has the unknown key 'count'",
    structure("console]\nreturns = { count = 1, length = 0 }") + SEND: "returns]: length is 0, but must be at least 1",
    structure("console]\nreturns = { count = 1 }")
    + SEND: "[structures.console.returns] has no 'groups', which must be some",
    structure("console]\nreturns.count = 0\nstems = { count = 40 }"): "but must be fewer, or max_nodes at least 43",
    # Kinds
    KIND + 'processer = "x"\n': "[kinds.lp] has the unknown key 'processer': did you mean 'processor'?",
    CHAIN + "[kinds.lp]\nweight = 1\n": "[kinds.lp] has no 'processor', which must be a text",
    KIND.replace("kinds.lp", "kinds.in"): "[kinds.in]: a kind cannot be named 'in': in, out and mix are taken",
    KIND.replace("kinds.lp", "kinds.double"): "cannot be named 'double': modules of torch have a method or attribute",
    KIND.replace("kinds.lp", 'kinds."a b"'): "cannot be named 'a b': letters, digits and _ are possible",
    KIND + 'group = "tune"\n': "[kinds.lp]: group is 'tune': did you mean 'tone'?",
    KIND + "weight = -1\n": "[kinds.lp]: weight is -1, but must be a number of at least 0",
    KIND + "weight = nan\n": "[kinds.lp]: weight is nan, but must be a number of at least 0",
    KIND + "weight = 0\n": "give one [kinds.NAME] with an inlet and an outlet, and a weight above 0",
    processor(
        '"LowPasFilter"'
    ): "[kinds.lp]: there is no class 'LowPasFilter' in grafx.processors: did you mean 'LowPassFilter'?",
    processor('"KICKS"'): "there is no class 'KICKS' in grafx.processors",
    processor('"DryWet"'): "[kinds.lp]: DryWet cannot be made with these options: DryWet() missing",
    processor('"DryWet"\noptions.processor.class = "Freeverb"'): "give it the option external_param = false",
    processor(
        '"DryWet"\noptions.processor.class = "Freeverbs"'
    ): "no class 'Freeverbs' in grafx.processors: did you mean",
    processor('"Waveshaper"\noptions.shape = "x"'): "[kinds.lp]: shape must be one of 'hard', 'cubic', 'tanh'",
    processor('"Waveshaper"\noptions.shap = "tanh"'): "Waveshaper cannot be made with these options",
    KIND + "options.param_range = { frequency_hz = [5000, 100] }\n": "[kinds.lp]: frequency_hz cannot have the range",
    KIND + "options.x = 2020-01-01\n": "[kinds.lp.options] has datetime.date(2020, 1, 1), but must have texts",
    processor(
        '"StereoToMidSide"'
    ): "[kinds.lp] has the inlets main and the outlets mid, side, which no structure connects",
    processor(
        '"Phaser"\noptions.external = true'
    ): "[kinds.lp] has the inlet lfo, which a generator must drive: add a kind",
    processor('"LinkwitzRileyCrossover"'): "[kinds.lp] splits a sound into bands, in which no kind can stand",
    processor('"LFO"'): "the prior has no kinds that can stand in a chain",
    # Controls
    KIND + "controls.frequency = 3\n": "LowPassFilter has no control 'frequency': did you mean 'frequency_hz'?",
    control(
        "{ uniform = [1, 2] }"
    ): "which the control does not reach: give values of frequency_hz from 20 to 20000 Hz",
    control(
        "{ uniform = [300, 200] }"
    ): "[kinds.lp.controls.frequency_hz]: uniform is [300, 200], but must be two numbers",
    control("{ uniform = [200] }"): "uniform is [200], but must be two numbers in ascending order, such as [20, 20000]",
    control("{ uniform = [nan, 300] }"): "uniform is [nan, 300], but must be two numbers",
    control("{ unifrom = [200, 300] }"): "controls.frequency_hz] must be a number, or one of { uniform = [low, high] }",
    control("{ uniform = [200, 300], spread = 1 }"): "[kinds.lp.controls.frequency_hz] has the unknown key 'spread'",
    control("{ uniform = [200, 300], soft = [1, 2] }"): "it has uniform, soft.",
    control("true"): "[kinds.lp.controls.frequency_hz] is True, but must be a number, or one of",
    control("1"): "[kinds.lp.controls.frequency_hz] has 1, which the control does not reach",
    control("{ normal = 1 }"): "[kinds.lp.controls.frequency_hz]: normal has 1, which the control does not reach",
    control("{ normal = 'defualt' }"): "normal is 'defualt', but must be a number",
    control("{ normal = 100, spread = 0 }"): "spread is 0, but must be a number of at least 0.001",
    control("{ normal = 100, within = [200, 300] }"): "within is [200, 300], but must be a range that includes 100",
    control("{ soft = [] }"): "soft is [], but must be a range, such as [20, 20000]",
    control(
        "{ soft = [[200, 300], 3] }"
    ): "soft is [[200, 300], 3], but must be two numbers in ascending order, such as",
    control(
        "{ soft = [200, 300], weights = [1, 2] }"
    ): "weights is [1, 2], but must be 1 number of at least 0, not all 0, for soft",
    control("{ soft = [200, 300], hard = [300, 400], weights = [0, 0] }"): "weights is [0, 0], but must be 2 numbers",
    control("{ soft = [200, 300], hrad = [300, 400] }"): "has the unknown key 'hrad': did you mean 'hard'?",
    control("{ spike = 2, uniform = [200, 300] }"): "spike is 2, but must be a number from 0 to 1",
    control("{ spike = 0.1, at = 1, uniform = [200, 300] }"): "at has 1, which the control does not reach",
    control("{ at = 100, uniform = [200, 300] }"): "has no 'spike', which must be a number from 0 to 1",
}


def test_what_is_wrong_is_named_with_its_place_and_remedy():
    for text, message in REFUSED.items():
        with pytest.raises(EstimateError) as caught:
            parse_prior(text)
        assert message in str(caught.value), (text, str(caught.value))
        assert str(caught.value).startswith("the prior") and str(caught.value)[-1] in ".?"


def test_control_of_values_with_defaults_of_their_own_needs_a_number():
    kind = '[kinds.eq]\nprocessor = "ParametricEqualizer"\n'
    with pytest.raises(EstimateError, match="normal is 'default', but must be a number, as this control has several"):
        parse_prior(CHAIN + kind + 'controls.frequency_hz = { normal = "default" }\n')
    with pytest.raises(EstimateError, match="frequency_hz] has no 'at', which must be a number"):
        parse_prior(CHAIN + kind + "controls.frequency_hz = { spike = 0.5, uniform = [30, 40] }\n")


def test_a_file_is_named_and_need_not_be_what_it_should(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(KIND + "weight = -1\n", encoding="utf-8")
    with pytest.raises(EstimateError, match=r"mine\.toml: \[kinds\.lp\]: weight is -1"):
        load_prior(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EstimateError, match=r"mine\.toml cannot be read"):
        load_prior(path)
    path.write_bytes(b"\xef\xbb\xbf" + KIND.replace("\n", "\r\n").encode())  # as Windows' editors save it
    assert load_prior(path) == load_prior(str(path)) == replace(parse_prior(KIND), name="mine")


def test_what_is_no_prior_is_refused(tmp_path):
    with pytest.raises(EstimateError, match="no prior 'drmus', neither a file: did you mean 'drums'"):
        load_prior("drmus")
    for name in (tmp_path, "", "a\0b", "x" * 5000):
        with pytest.raises(EstimateError, match=r"There is no prior .* neither a file"):
            load_prior(name)
    for other in (3, None, [1], b"x"):
        with pytest.raises(EstimateError, match=r"the prior is .*, but must be a table"):
            parse_prior(other)


def test_writing_and_reading_gives_an_equal_prior(everything):
    for prior in (everything, *(load_prior(path.stem) for path in PRESETS.glob("*.toml"))):
        text = prior.to_toml()
        again = parse_prior(text)
        assert again == prior and again.digest == prior.digest and hash(again) == hash(prior)
        assert again.to_toml() == text and parse_prior(prior.plain) == prior


def test_options_keep_their_types_and_texts():
    options = {"a": 2.0, "b": 2, "c": True, "d": 'a "b"\\\n\x7f\u00e9', "e": [1, 2.5, []], "f": {"x y": {}, "": 1e-7}}
    prior = parse_prior(KIND)
    prior = replace(prior, kinds={"lp": replace(prior.kinds["lp"], options=options)})

    found = tomllib.loads(prior.to_toml())["kinds"]["lp"]["options"]
    assert found == options and [type(found[key]) for key in "abc"] == [float, int, bool]


def test_numbers_are_equal_however_they_are_written():
    one = parse_prior(control("{ uniform = [200, 300] }"))
    assert one == parse_prior(control("{ uniform = [2e2, 300.0] }")) != parse_prior(control("{ uniform = [200, 301] }"))
    assert one != "a text"


def test_pickles_are_plain_and_small(everything):
    everything.processors, everything.config  # noqa: B018 – made before
    content = pickle.dumps(everything)
    again = pickle.loads(content)
    assert again == everything and b"torch" not in content and len(content) < 10_000
    assert str(draw_graph(again, 3)) == str(draw_graph(everything, 3))
    assert again.config == everything.config


def test_processors_are_made_once_with_the_sample_rate():
    prior = parse_prior("sample_rate = 32000\n" + KIND + '[kinds.geq]\nprocessor = "GraphicEqualizer"\n')
    assert prior.processors is prior.processors
    assert [processor.sample_rate for processor in prior.processors.values()] == [32000, 32000]
    inner = parse_prior(
        "sample_rate = 16000\n"
        + processor('"DryWet"\noptions.external_param = false\noptions.processor.class = "Freeverb"')
    )
    assert inner.processors["lp"].processor.sample_rate == 16000
    own = parse_prior("sample_rate = 22050\n" + KIND + "options.sample_rate = 48000\n")
    assert own.processors["lp"].sample_rate == 48000


def test_a_kind_tells_what_is_drawn_and_how_far(everything):
    assert everything.kinds["verb"].limits == {"room.room_size": (0.2, 0.8)}
    assert everything.kinds["ducker"].limits == {"threshold_db": (-40, -10)}
    assert everything.kinds["send"].limits == {"send_db": (-20, 0)}
    assert everything.kinds["verb"].drawn == ("room.room_size",) and everything.kinds["crossover"].drawn == ()


def test_presets_are_named_after_their_files():
    for path in PRESETS.glob("*.toml"):
        assert load_prior(path.stem).name == path.stem
    assert {path.stem for path in PRESETS.glob("*.toml")} == {"guitar", "drums", "mix"}


@pytest.mark.parametrize(
    "place", [(), ("structures",), ("kinds",), ("kinds", "bell"), ("kinds", "bell", "controls", "q")]
)
@pytest.mark.parametrize("key", [1, None, (1,)])
def test_keys_that_are_no_texts_are_refused(place, key):
    content = {
        "structures": {"chain": {"length": 1}},
        "kinds": {"bell": {"processor": "PeakingFilter", "controls": {"q": {"uniform": [1, 2]}}}},
    }
    parse_prior(content)
    table = content
    for name in place:
        table = table[name]
    table[key] = {"processor": "PeakingFilter"}
    with pytest.raises(EstimateError, match="texts"):
        parse_prior(content)
