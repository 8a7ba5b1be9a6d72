import pytest
from grafx.processors import TanhDistortion
from grafx.processors.base import ParameterError
from grafx.processors.core.optional import check_optional


def test_what_the_options_ask_for_must_be_given_and_nothing_else():
    processor = TanhDistortion()
    check_optional(processor, log_pre_gain=0.0, bias=None)
    with pytest.raises(ParameterError, match=r"TanhDistortion needs log_pre_gain .* raw parameters are log_pre_gain"):
        check_optional(processor, log_pre_gain=None)
    with pytest.raises(ParameterError, match="TanhDistortion takes no bias"):
        check_optional(processor, bias=0.0)
    with pytest.raises(ParameterError, match="it has no raw parameters"):
        check_optional(TanhDistortion(pre_post_gain=False), log_pre_gain=0.0)
