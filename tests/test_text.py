"""Names that are told apart."""

from grafx.text import free_name


def test_a_free_name_is_the_first_that_nobody_has():
    taken = {"bass", "bass 2", "bass 4", "drums_2"}
    assert free_name("drums", taken.__contains__) == "drums"
    assert free_name("bass", taken.__contains__) == "bass 3"
    assert free_name("BASS", lambda name: name.lower() in taken) == "BASS 3"
    assert free_name("drums", {"drums", *taken}.__contains__, "_") == "drums_3"
