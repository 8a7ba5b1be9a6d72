import pytest
import torch
from grafx.processors import TanhDistortion
from grafx.processors.arguments import bind, check_optional
from grafx.processors.base import ParameterError


def test_what_the_options_ask_for_must_be_given_and_nothing_else():
    processor = TanhDistortion()
    check_optional(processor, log_pre_gain=0.0, bias=None)
    with pytest.raises(ParameterError, match=r"TanhDistortion needs log_pre_gain .* raw parameters are log_pre_gain"):
        check_optional(processor, log_pre_gain=None)
    with pytest.raises(ParameterError, match="TanhDistortion takes no bias"):
        check_optional(processor, bias=0.0)
    with pytest.raises(ParameterError, match="it has no raw parameters"):
        check_optional(TanhDistortion(pre_post_gain=False), log_pre_gain=0.0)


def test_signals_come_first_and_raw_parameters_in_their_order():
    x, key, gain = torch.rand(2, 1, 5), torch.rand(2, 3, 5), torch.zeros(2, 1)
    processor = TanhDistortion(inverse_post_gain=False)
    names = list(processor.parameter_size())
    for arguments, raw in (((x, key, gain), {names[1]: gain}), ((x, key), dict.fromkeys(names, gain))):
        signals, found = bind(processor, ("main", "key"), arguments, raw)
        assert signals[0] is x and signals[1] is key
        assert list(found) == names and all(value is gain for value in found.values())


@pytest.mark.parametrize(
    "shape, positional, named, message",
    [
        (None, 0, 0, "needs a signal for each of its inlets main, key, but got 1"),
        ((2, 3, 4), 0, 2, r"\(2, 3, 4\) at the inlet 'key' .* of \(2, 1, 5\) at 'main'"),
        ((1, 3, 5), 0, 2, "batch size"),
        ((2, 1), 0, 2, "batch, channels, samples"),
        ((2, 3, 5), 3, 0, "takes 2 raw parameters, log_pre_gain, log_post_gain, but got 3"),
        ((2, 3, 5), 1, 2, "got log_pre_gain twice"),
        ((2, 3, 5), 1, 0, "needs log_post_gain"),
    ],
)
def test_wrong_arguments_are_told_apart(shape, positional, named, message):
    processor, gain = TanhDistortion(inverse_post_gain=False), torch.zeros(2, 1)
    signals = [torch.rand(2, 1, 5)] + ([] if shape is None else [torch.rand(shape)])
    raw = dict.fromkeys(list(processor.parameter_size())[:named], gain)
    with pytest.raises(ParameterError, match=message):
        bind(processor, ("main", "key"), (*signals, *[gain] * positional), raw)
