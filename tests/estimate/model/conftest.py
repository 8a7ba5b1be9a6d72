"""A model of a few seconds, trained once for all tests that look at it."""

import shutil

import pytest

from grafx.estimate.estimator import Estimator
from grafx.estimate.prior import load_prior
from grafx.estimate.recipe import load_recipe
from grafx.estimate.train import train

MICRO = {
    "data": {"examples": 24, "valid": 8, "seconds": 0.2},
    "network": {"width": 16, "heads": 2, "channels": 4, "encoder_layers": 1, "decoder_layers": 1},
    "training": {"steps": 20, "batch_size": 8, "validate_every": 10, "warmup": 5},
}


@pytest.fixture(scope="session", autouse=True)
def few_measured():
    """What has learned nothing says long graphs, whose comparison takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grafx.estimate.train.MEASURED", 1)
        yield


@pytest.fixture(scope="session")
def micro():
    return load_recipe("tiny").having(**MICRO)


@pytest.fixture(scope="session")
def trained(micro, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    assert train(micro, folder)
    return folder


@pytest.fixture(scope="session")
def model(trained):
    return Estimator.load(trained)


@pytest.fixture(scope="session")
def drums():
    return load_prior("drums")


@pytest.fixture
def begun(trained, tmp_path):
    """A folder with the data of the model, but no model."""
    shutil.copytree(trained / "data", tmp_path / "out" / "data")
    return tmp_path / "out"
