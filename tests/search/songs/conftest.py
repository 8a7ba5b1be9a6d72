"""Results of many songs."""

import pytest
from song_runs import write_runs


@pytest.fixture(scope="package")
def runs(tmp_path_factory):
    """Four songs: two done, one failed, one waiting. Not to be changed."""
    return write_runs(tmp_path_factory.mktemp("many") / "runs")
