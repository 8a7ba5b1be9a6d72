import pytest
import torch

from grafx.data import GraphError, load_grafx, read_graphml, save_grafx, write_graphml
from grafx.draw import grafx_to_svg
from grafx.search import Mixer, MixStream, build_console, render_mix
from grafx.search.mixing.console import CHAIN
from grafx.search.mixing.initial import set_initial_parameters
from grafx.search.mixing.mixer import WEIGHT


@pytest.fixture(scope="module")
def console(stems, mix):
    """A console whose processors all do something."""
    G = build_console(["kick", "pad"], {"group": ["pad"]})
    set_initial_parameters(G, stems, mix, seed=0)
    generator = torch.Generator().manual_seed(1)
    for _, data in sorted(G.nodes(data=True)):
        if data["node_type"] in CHAIN:
            data[WEIGHT] = 0.2 + 0.6 * torch.rand((), generator=generator).item()
            for value in data["parameters"].values():
                value += 0.1 * torch.randn(value.shape, generator=generator)
    return G


@pytest.fixture
def mixer(console):
    return Mixer(console)


def processors_of(G):
    return sorted(i for i, data in G.nodes(data=True) if data["node_type"] in CHAIN)


def test_mixes_as_render_mix_does(mixer, console, stems):
    mixed, _ = mixer(stems)
    assert mixed.shape == stems.shape[1:]
    assert torch.allclose(mixed, render_mix(console, stems), atol=1e-6)


def test_knows_which_nodes_could_be_pruned(mixer):
    assert sorted(mixer.processor_ids) == processors_of(mixer.G)
    assert len(mixer.processor_ids) == 4 * len(CHAIN)


def test_signals_are_those_of_the_mix(mixer, stems):
    signals = mixer.signals(stems)
    (out,) = [i for i, data in mixer.G.nodes(data=True) if data["node_type"] == "out"]
    assert torch.equal(signals[out], mixer(stems)[0])
    assert torch.equal(signals[0], stems[0])


def test_the_graph_that_it_gives_sounds_the_same_and_comes_back(mixer, stems):
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
        mixed, _ = mixer(stems)
    G = mixer.graph()
    assert torch.allclose(render_mix(G, stems), mixed, atol=1e-5)
    assert torch.allclose(Mixer(G)(stems)[0], mixed, atol=1e-5)


def test_what_it_gives_is_a_copy(mixer, stems, console):
    G, H = mixer.graph(), mixer.graph()
    before = mixer(stems)[0].detach().clone()
    for _, data in G.nodes(data=True):
        for value in (data["parameters"] or {}).values():
            value.fill_(3.0)
        if WEIGHT in data:
            data[WEIGHT] = 0.0
    G.bypass(mixer.processor_ids[0])
    assert torch.equal(mixer(stems)[0], before)
    assert torch.allclose(render_mix(H, stems), before, atol=1e-6)
    assert torch.allclose(render_mix(console, stems), before, atol=1e-6)


def test_numbering_does_not_change_again(mixer):
    """Parameters saved by id are found by id."""
    G, again = mixer.graph(), Mixer(mixer.graph()).G
    assert {i: (d["node_type"], d.get("owner")) for i, d in G.nodes(data=True)} == {
        i: (d["node_type"], d.get("owner")) for i, d in again.nodes(data=True)
    }
    assert {edge[:2] for edge in G.edges} == {edge[:2] for edge in again.edges}


def test_penalties_are_named_positive_and_have_gradients(mixer, stems):
    _, penalties = mixer(stems)
    assert set(penalties) == {"gain_reg", "radii_reg"}
    for penalty in penalties.values():
        assert penalty.ndim == 0 and penalty.isfinite() and penalty > 0
    sum(penalties.values()).backward()
    gradients = {n: p.grad for n, p in mixer.named_parameters() if p.grad is not None}
    assert any("delay_z" in name and gradient.any() for name, gradient in gradients.items())
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_the_mix_reaches_every_parameter_and_weight(mixer, stems, mix):
    mixed, _ = mixer(stems)
    (mixed - mix).square().sum().backward()
    for name, parameter in mixer.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name
    # Dynamics that a signal never triggers are as good dry as wet.
    always_heard = [i for i in mixer.processor_ids if mixer.G.nodes[i]["node_type"] not in ("compressor", "noisegate")]
    assert mixer.z_drywet.grad[always_heard].ne(0).all()


@pytest.mark.parametrize("weight, expected", [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_weights_at_the_ends_stay_finite(console, stems, weight, expected):
    G = console.copy()
    for node in processors_of(G):
        G.nodes[node][WEIGHT] = weight
    mixer = Mixer(G)
    assert mixer.z_drywet.isfinite().all()
    mixed, _ = mixer(stems)
    mixed.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in mixer.parameters() if p.grad is not None)
    found = [mixer.graph().nodes[i][WEIGHT] for i in mixer.processor_ids]
    assert found == pytest.approx([expected] * len(found), abs=1e-5)


@pytest.mark.parametrize("left", [set(), {"eq"}, {"eq", "delay"}, {"reverb", "imager", "gain"}])
@pytest.mark.parametrize("strips", [("kick",), ("group", "pad"), ("master", "pad"), ("kick", "group", "master")])
def test_pruned_consoles_mix_in_blocks_as_on_the_whole(console, stems, left, strips):
    """The strips have what is left; all others keep an equalizer or nothing at all."""
    for others in (set(), {"eq"}):
        G = console.copy()
        for node in processors_of(G):
            kept = left if G.nodes[node]["owner"] in strips else others
            if G.nodes[node]["node_type"] not in kept:
                G.bypass(node)
        whole, stream = render_mix(G, stems), MixStream(G)
        blocks = [*[stream(block) for block in stems.split(3001, -1)], stream.finish(tail=False)]
        torch.testing.assert_close(torch.cat(blocks, -1)[:, stream.latency_samples :], whole, rtol=1e-4, atol=1e-5)


def test_nothing_left_is_the_plain_sum(stems):
    mixer = Mixer(build_console(["kick", "pad"], chain=[]))
    mixed, penalties = mixer(stems)
    assert torch.allclose(mixed, stems.sum(0)) and penalties == {} and mixer.processor_ids == []
    assert torch.allclose(render_mix(mixer.graph(), stems), stems.sum(0))


@pytest.mark.parametrize("weight", [-0.1, 1.5, float("nan"), "half", None])
def test_weights_are_checked(console, stems, weight):
    G = console.copy()
    node = processors_of(G)[0]
    G.nodes[node][WEIGHT] = weight
    for use in (Mixer, lambda G: render_mix(G, stems)):
        with pytest.raises(GraphError, match=f"{WEIGHT}.*from 0 to 1"):
            use(G)


@pytest.fixture(scope="module")
def desk():
    """A console of everything that a console can have."""
    G = build_console(
        ["drums", "bass"],
        {"rhythm": ["bass"]},
        {"drums": ["peq", "gain"], "bass": ["saturation", "gain", "Phaser"], "rhythm": ["eq"]},
        master=["eq", "limiter"],
        returns={"room": ["reverb"], "crush": ["compressor", "gain"]},
        sidechains={"bass": "drums"},
    )
    stems = 0.1 * torch.randn(2, 2, 6000, generator=torch.Generator().manual_seed(0))
    set_initial_parameters(G, stems, stems.sum(0), 0)
    return G, stems


def test_all_that_a_console_can_have_is_trained(desk):
    G, stems = desk
    mixer = Mixer(G)
    mix, penalties = mixer(stems)
    (mix.square().sum() + sum(penalties.values())).backward()
    for name, parameter in mixer.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name
    neutral = {"eq", "peq", "gain"}  # whose wet signal may still be the dry one
    weights = [i for i in mixer.processor_ids if mixer.G.nodes[i]["node_type"] not in neutral]
    assert mixer.z_drywet.grad[weights].all()


def test_it_is_kept_in_files_drawn_and_streamed(desk, tmp_path):
    G, stems = desk
    found = Mixer(G).graph()
    mix = render_mix(found, stems)
    save_grafx(found, tmp_path / "found")
    assert torch.equal(render_mix(load_grafx(tmp_path / "found")[0], stems), mix)
    stream = MixStream(found)
    blocks = [stream(block) for block in stems.split(700, -1)] + [stream.finish(False)]
    streamed = torch.cat(blocks, -1)[..., stream.latency_samples :]
    assert (streamed - mix).norm() / mix.norm() < 1e-5
    plain = build_console(["a", "b"], returns={"room": ["reverb"]}, sidechains={"a": "b"})
    write_graphml(plain, tmp_path / "plain.graphml")
    again = read_graphml(tmp_path / "plain.graphml")
    assert again.config == plain.config
    assert sorted(again.edges(data=True), key=str) == sorted(plain.edges(data=True), key=str)
    picture = grafx_to_svg(found)
    assert picture.count("sidechain") >= 1 and "ducker" in picture and "send" in picture


def test_a_search_goes_on_from_it(desk, new_search):
    search = new_search()
    G = build_console(list(search.names), chain=["eq", "gain"], returns={"room": ["reverb"]})
    set_initial_parameters(G, search.stems, search.mix, 0)
    search.take(G)
    list(search.run())
    assert search.finished and search.best.G.validate() == []


def test_long_audio_is_mixed_in_blocks_to_the_same(console, stems, monkeypatch):
    whole = render_mix(console, stems)
    monkeypatch.setattr("grafx.search.mixing.mixer.WHOLE_SECONDS", 0.01)
    monkeypatch.setattr("grafx.search.mixing.mixer.BLOCK", 3000)
    mixed = render_mix(console, stems)
    assert not torch.equal(mixed, whole)
    torch.testing.assert_close(mixed, whole, rtol=1e-4, atol=1e-5)
