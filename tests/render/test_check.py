import pytest
import torch

from grafx.data import GRAFX, NodeConfigs
from grafx.render import RenderError, prepare_render, render_grafx, reorder_for_fast_render


@pytest.fixture
def case(toys):
    """Keyword arguments that render, to be spoiled one at a time."""
    G = GRAFX(config=toys.config)
    for node_type in ("gain", "nested"):
        G.add_serial_chain(["in", node_type, "gain", "out"])
    G = reorder_for_fast_render(G)
    processors = toys.make()
    return {
        "processors": processors,
        "input_signals": torch.randn(2, 2, 5, dtype=torch.float64),
        "per_type_parameters": toys.parameters(processors, G),
        "render_data": prepare_render(G),
        "common_parameters": {"weight": torch.ones(8, dtype=torch.float64)},
    }


def test_the_case_renders(case):
    assert render_grafx(**case)[0].shape == (2, 2, 5)


def spoil_parameter(*path, value=None):
    def spoil(case):
        tree = case["per_type_parameters"]
        for name in path[:-1]:
            tree = tree[name]
        if value is None:
            del tree[path[-1]]
        else:
            tree[path[-1]] = value

    return spoil


def spoil_input(*shape, dtype=torch.float64):
    return lambda case: case.update(input_signals=torch.zeros(*shape, dtype=dtype))


SPOILED = {
    "no processor": (
        lambda case: case["processors"].pop("gain"),
        r"no processor for the type 'gain' \(nodes 3 to 4, 5\).*fir",
    ),
    "no processors": (lambda case: case.update(processors={}), "no processor"),
    "no type": (spoil_parameter("gain"), r"'gain' of type 'gain' \(nodes 3 to 4, 5\) is missing"),
    "no parameters": (lambda case: case.update(per_type_parameters={}), "is missing"),
    "no parameter": (spoil_parameter("gain", "gain"), r"'gain' of type 'gain' \(nodes 3 to 4, 5\) is missing"),
    "no branch": (
        spoil_parameter("nested", "post", "deep"),
        r"'post\.deep' of type 'nested' \(node 2\) is missing",
    ),
    "no leaf": (
        spoil_parameter("nested", "post", "deep", "bias"),
        r"'post\.deep\.bias' of type 'nested' \(node 2\) is missing",
    ),
    "tensor for a branch": (
        spoil_parameter("nested", "pre", value=torch.ones(1, 1)),
        r"'pre\.gain' of type 'nested' .* is missing",
    ),
    "tensor for a type": (
        spoil_parameter("gain", value=torch.ones(3, 1)),
        r"parameters of type 'gain' .* are a Tensor, but should map names",
    ),
    "too few rows": (
        spoil_parameter("gain", "gain", value=torch.ones(2, 1)),
        r"'gain' of type 'gain'.*\(2, 1\), expected \(3, 1\)",
    ),
    "one row": (
        spoil_parameter("gain", "gain", value=torch.ones(1, 1)),
        r"'gain' of type 'gain'.*\(1, 1\), expected \(3, 1\)",
    ),
    "no rows": (
        spoil_parameter("gain", "gain", value=torch.tensor(1.0)),
        r"'gain' of type 'gain'.*\(\), expected \(3, 1\)",
    ),
    "flat": (spoil_parameter("gain", "gain", value=torch.ones(3)), r"'gain' of type 'gain'.*\(3,\), expected \(3, 1\)"),
    "other shape": (
        spoil_parameter("nested", "post", "shape", value=torch.ones(1, 4)),
        r"'post\.shape' of type 'nested'.*\(1, 4\), expected \(1, 2, 2\)",
    ),
    "a number": (
        spoil_parameter("gain", "gain", value=3.0),
        r"'gain' of type 'gain' .*has shape float, expected \(3, 1\)",
    ),
    "a dict": (spoil_parameter("gain", "gain", value={}), r"'gain' of type 'gain' .*has shape dict"),
    "too few sources": (spoil_input(1, 2, 5), r"1 source\(s\), but the graph has 2 'in'"),
    "too many sources": (spoil_input(3, 2, 5), r"3 source\(s\), but the graph has 2 'in'"),
    "too many sources in a batch": (spoil_input(2, 3, 2, 5), r"3 source\(s\), but the graph has 2 'in'"),
    "no channel axis": (spoil_input(2, 5), r"\(2, 5\).*sources, channels, samples"),
    "an axis too many": (spoil_input(1, 1, 2, 2, 5), r"\(1, 1, 2, 2, 5\)"),
    "integers": (spoil_input(2, 2, 5, dtype=torch.int16), "int16: convert it to a floating point type"),
    "booleans": (spoil_input(2, 2, 5, dtype=torch.bool), "bool"),
    "complex": (spoil_input(2, 2, 5, dtype=torch.complex64), "complex64"),
    "another float type": (
        spoil_parameter("gain", "gain", value=torch.ones(3, 1)),
        r"'gain' of type 'gain' .*float32 on cpu, but input_signals are torch.float64",
    ),
    "another device": (
        spoil_parameter("gain", "gain", value=torch.ones(3, 1, dtype=torch.float64, device="meta")),
        "float64 on meta, but input_signals are torch.float64 on cpu",
    ),
    "per source without sources": (
        spoil_parameter("gain", "gain", value=torch.ones(2, 3, 1, dtype=torch.float64)),
        r"\(2, 3, 1\), expected \(3, 1\): ",
    ),
    "for other sources": (
        lambda case: (spoil_input(4, 2, 2, 5)(case), spoil_parameter("gain", "gain", value=torch.ones(2, 3, 1))(case)),
        r"\(2, 3, 1\), expected \(3, 1\) or \(4, 3, 1\)",
    ),
    "common float type": (
        lambda case: case["common_parameters"].update(weight=torch.ones(8)),
        "common parameter 'weight' is torch.float32 on cpu, but",
    ),
    "common rows": (
        lambda case: case["common_parameters"].update(weight=torch.ones(7)),
        r"common parameter 'weight' has shape \(7,\).*8 nodes",
    ),
    "common number": (lambda case: case["common_parameters"].update(weight=0.5), "common parameter 'weight'.*float"),
    "common scalar": (
        lambda case: case["common_parameters"].update(weight=torch.tensor(0.5)),
        r"'weight' has shape \(\)",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_does_not_fit_is_named(case, name):
    spoil, message = SPOILED[name]
    spoil(case)
    with pytest.raises(RenderError, match=message):
        render_grafx(**case)
    assert all(processor.calls == 0 for processor in case["processors"].values())


def test_a_graph_without_sources_takes_no_signal(toys):
    G = GRAFX(config=toys.config)
    G.add_serial_chain(["tone", "out"])
    render_data = prepare_render(reorder_for_fast_render(G))
    parameters = {"tone": {"frequency": torch.ones(1, 1)}}
    assert render_grafx(toys.make(), torch.zeros(0, 1, 5), parameters, render_data)[0].shape == (1, 1, 5)
    assert render_grafx(toys.make(), torch.zeros(3, 0, 1, 5), parameters, render_data)[0].shape == (3, 1, 1, 5)
    with pytest.raises(RenderError, match=r"1 source\(s\), but the graph has 0 'in'"):
        render_grafx(toys.make(), torch.zeros(1, 1, 5), parameters, render_data)


def test_types_that_do_not_occur_need_nothing_and_may_have_anything(toys, case):
    case["per_type_parameters"]["fir"] = {"taps": torch.ones(99)}
    del case["processors"]["saturate"]
    render_grafx(**case)


def test_a_parameter_that_nobody_takes_is_named():
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain(["in", "gain", "out"])
    data = prepare_render(reorder_for_fast_render(G))
    parameters = {"gain": {"gain": torch.ones(1, 1), "gian": torch.ones(1, 1)}}

    class Strict(torch.nn.Module):
        def parameter_size(self):
            return {"gain": 1}

        def forward(self, x, gain):
            return x * gain[:, :, None]

    render_grafx({"gain": Strict()}, torch.ones(1, 1, 4), {"gain": {"gain": torch.ones(1, 1)}}, data)
    with pytest.raises(RenderError, match=r"type 'gain' \(node 1\) has no parameter 'gian'.*'gain'"):
        render_grafx({"gain": Strict()}, torch.ones(1, 1, 4), parameters, data)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("input_signals", [[1.0]], "input_signals is a list"),
        ("render_data", None, "give what prepare_render returns"),
        ("per_type_parameters", [1], "per_type_parameters is a list"),
        ("common_parameters", 1, "common_parameters is a int"),
        ("processors", {"gain": torch.nn.Linear(2, 2), "nested": torch.nn.Linear(2, 2)}, "no method parameter_size"),
    ],
)
def test_arguments_of_another_kind(case, name, value, message):
    with pytest.raises(RenderError, match=message):
        render_grafx(**{**case, name: value})


def test_parameters_that_no_nested_dict_or_processor_takes_are_named(case):
    case["per_type_parameters"]["nested"]["post"]["deep"]["zz"] = torch.ones(1)
    with pytest.raises(RenderError, match=r"type 'nested' \(node 2\) has no parameter 'post.deep.zz'"):
        render_grafx(**case)


def test_a_common_parameter_that_a_processor_does_not_take_is_named():
    class Strict(torch.nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, x):
            return x

    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain(["in", "gain", "out"])
    data = prepare_render(reorder_for_fast_render(G))
    with pytest.raises(RenderError, match="has no parameter 'weight'"):
        render_grafx({"gain": Strict()}, torch.ones(1, 1, 4), {}, data, {"weight": torch.ones(3)})
