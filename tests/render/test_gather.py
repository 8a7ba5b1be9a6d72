import pytest
import torch

from grafx.data import GRAFX
from grafx.render import RenderError, prepare_render, render_grafx, reorder_for_fast_render


class Spy(torch.nn.Module):
    """Returns its input, or another number of channels, and keeps what it saw."""

    def __init__(self, channels=None):
        super().__init__()
        self.channels, self.seen = channels, []

    def parameter_size(self):
        return {}

    def forward(self, *inlets):
        self.seen.append(inlets)
        x = inlets[0]
        return x.new_ones(x.shape[0], self.channels, x.shape[-1]) if self.channels else x


def render(G, x, **processors):
    return render_grafx(processors, x, {}, prepare_render(reorder_for_fast_render(G)))[0]


def test_what_is_contiguous_is_read_without_a_copy():
    G = GRAFX()
    for _ in range(4):
        G.add_serial_chain(["in", "spy", "other", "out"])
    spy, other, x = Spy(), Spy(), torch.randn(4, 2, 5)
    render(G, x, spy=spy, other=other)
    assert spy.seen[0][0].data_ptr() == other.seen[0][0].data_ptr() == x.data_ptr()


def test_parts_of_a_step_are_read_without_a_copy():
    G = GRAFX()
    for node_type in ("spy", "spy", "other"):
        G.add_serial_chain(["in", node_type, "out"])
    other, x = Spy(), torch.randn(3, 2, 5)
    render(G, x, spy=Spy(), other=other)
    assert other.seen[0][0].data_ptr() == x[2].data_ptr()


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_mono_meets_any_number_of_channels(channels):
    G = GRAFX()
    _, mono = G.add_serial_chain(["in", "spy"])
    _, wide = G.add_serial_chain(["in", "wide"])
    out = G.add("out")
    G.connect(mono, out)
    G.connect(wide, out)
    x = torch.randn(2, 1, 5)
    output = render(G, x, spy=Spy(), wide=Spy(channels))
    torch.testing.assert_close(output, (x[:1] + 1).expand(1, channels, 5))


def test_mono_and_stereo_outputs_share_one_tensor():
    G = GRAFX()
    G.add_serial_chain(["in", "spy", "out"])
    G.add_serial_chain(["in", "wide", "out"])
    x = torch.randn(2, 1, 5)
    output = render(G, x, spy=Spy(), wide=Spy(2))
    assert torch.equal(output, torch.stack([x[0].expand(2, 5), torch.ones(2, 5)]))


@pytest.mark.parametrize("together", ["sum", "output"])
def test_other_channel_counts_do_not_meet(together):
    G = GRAFX()
    _, stereo = G.add_serial_chain(["in", "stereo"])
    _, surround = G.add_serial_chain(["in", "surround"])
    mixes = [G.add("mix")] * 2 if together == "sum" else [G.add("mix"), G.add("mix")]
    G.connect(stereo, mixes[0])
    G.connect(surround, mixes[1])
    for mix in sorted(set(mixes)):
        G.connect(mix, G.add("out"))
    place = "the inlet 'main' of node 4 of type 'mix'" if together == "sum" else "the 'out' nodes"
    with pytest.raises(RenderError, match=rf"Signals of \[2, 6\] channels meet at {place}"):
        render(G, torch.randn(2, 1, 5), stereo=Spy(2), surround=Spy(6))


def test_nodes_of_other_channel_counts_share_a_step_but_not_a_call():
    G = GRAFX()
    for chain in (["stereo", "spy"], ["spy"], ["stereo", "spy"], ["spy"], ["surround", "spy"]):
        G.add_serial_chain(["in", *chain, "mono", "out"])
    G = reorder_for_fast_render(G, "fixed", fixed_order=["stereo", "surround", "spy", "mono"])
    spy, x = Spy(), torch.randn(5, 1, 7)
    processors = {"spy": spy, "stereo": Spy(2), "surround": Spy(6), "mono": Spy(1)}
    output, _, signals = render_grafx(processors, x, {}, prepare_render(G))
    assert sorted(inlets[0].shape[:2] for inlets in spy.seen) == [(1, 6), (2, 1), (2, 2)]
    assert output.shape == (5, 1, 7)
    for node in G.nodes:
        for source in G.predecessors(node):
            if G.nodes[node]["node_type"] == "spy":
                assert torch.equal(signals[node], signals[source])


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_unconnected_further_inlet_is_silent(toys, batch, dtype):
    G = GRAFX(config=toys.config)
    ids = [[G.add(t) for t in ("in", "ring", "out")] for _ in range(3)]
    for source, ring, out in ids:
        G.connect(source, ring)
        G.connect(ring, out)
    G.connect(ids[0][0], ids[1][1], inlet="side")
    spy, x = Spy(), torch.randn(*batch, 3, 2, 5, dtype=dtype)
    render(G, x, ring=spy)
    main, side = spy.seen[0]
    assert main.dtype == side.dtype == dtype and main.shape == side.shape
    rows = side.unflatten(0, (3, *batch)) if batch else side
    silent = torch.zeros(*batch, 2, 5, dtype=dtype)
    for row, expected in zip(rows, [silent, x[..., 0, :, :], silent], strict=True):
        assert torch.equal(row, expected)


def test_rows_of_several_outlets_are_told_apart(toys):
    G = GRAFX(config=toys.config)
    sources = [G.add("in") for _ in range(2)]
    splits = [G.add("split") for _ in range(2)]
    for i, (source, split) in enumerate(zip(sources, splits, strict=True)):
        fir, out = G.add("fir"), G.add("out")
        G.connect(source, split)
        G.connect(split, fir, outlet=("main", "side")[i])
        G.connect(fir, out)
    x, ratio = torch.randn(2, 1, 5), torch.tensor([[0.25], [0.25]])
    parameters = {"split": {"ratio": ratio}, "fir": {"taps": torch.eye(3)[:1].repeat(2, 1)}}
    output, _, _ = render_grafx(toys.make(), x, parameters, prepare_render(reorder_for_fast_render(G)))
    torch.testing.assert_close(output, torch.stack([0.25 * x[0], 0.75 * x[1]]))
