"""Differentiable audio processors."""

from . import container, delay, dynamics, eq, filter, modulation, nonlinear, reverb, stereo, synth
from . import desk as desk
from .container import *  # noqa: F403
from .delay import *  # noqa: F403
from .dynamics import *  # noqa: F403
from .eq import *  # noqa: F403
from .filter import *  # noqa: F403
from .modulation import *  # noqa: F403
from .nonlinear import *  # noqa: F403
from .reverb import *  # noqa: F403
from .stereo import *  # noqa: F403
from .synth import *  # noqa: F403

__all__: list[str] = []
__all__ += container.__all__
__all__ += delay.__all__
__all__ += dynamics.__all__
__all__ += eq.__all__
__all__ += filter.__all__
__all__ += modulation.__all__
__all__ += nonlinear.__all__
__all__ += reverb.__all__
__all__ += stereo.__all__
__all__ += synth.__all__
