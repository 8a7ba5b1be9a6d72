import pytest

from grafx.estimate.prior import parse_prior

EVERYTHING = """
name = "everything"
max_nodes = 30
band_length = [0, 2]

[structures.chain]
length = [1, 5]

[structures.groups]
order = ["space", "tone", "dynamics"]
sizes = { tone = [0, 2], space = [0, 2] }

[structures.dag]
nodes = [4, 12]

[structures.console]
stems = { count = [1, 4] }
buses = { count = [0, 2] }
returns = { count = [0, 2] }

[kinds.eq]
processor = "ParametricEqualizer"
options.num_filters = 3
controls.gain_db = { normal = "default", spread = 0.2, within = [-18, 18] }
controls.frequency_hz = { uniform = [100, 8000] }

[kinds.ducker]
processor = "Compressor"
options = { style = "desk", sidechain = true }
group = "dynamics"
controls.threshold_db = { soft = [-20, -10], hard = [[-40, -30], [-30, -20]], weights = [1, 3] }

[kinds.crossover]
processor = "LinkwitzRileyCrossover"

[kinds.phaser]
processor = "Phaser"
options.external = true
group = "character"
controls.mix = { uniform = [0.2, 1.0] }

[kinds.lfo]
processor = "LFO"
controls.rate_hz = { uniform = [0.1, 5] }

[kinds.send]
processor = "Send"
controls.send_db = { spike = 0.3, uniform = [-20, 0] }

[kinds.verb]
processor = "DryWet"
group = "space"
weight = 2
options.external_param = false
options.processor.class = "SerialChain"
options.processor.processors = { room = { class = "Freeverb" }, dark = { class = "LowPassFilter" } }
controls.room.room_size = { uniform = [0.2, 0.8] }
controls.dark.frequency_hz = 4000

[kinds.gain]
processor = "StereoGain"
group = "level"
controls.left_gain_db = { normal = 0, spread = 0.1 }

[kinds.never]
processor = "HardClip"
weight = 0
"""


@pytest.fixture(scope="session")
def everything():
    """A prior of all structures, inlets, outlets and distributions."""
    return parse_prior(EVERYTHING)
