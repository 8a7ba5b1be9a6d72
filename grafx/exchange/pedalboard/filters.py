r"""Filters of two poles and two zeros in terms of pedalboard's.

A peak, a shelf and a first-order filter have plug-ins of their own. Everything else is made of these: with the poles
of a section at :math:`\cos \omega_0` and :math:`\alpha`,

.. math:: \alpha = \frac{1 - a_2}{1 + a_2}, \quad \cos\omega_0 = -\frac{a_1}{1 + a_2}

two first-order filters at ω₀ and a peak at ω₀ with the gain A² = sin ω₀/α and Q = A/2, whose zeros are the double pole
of the former, have exactly these poles, and as numerators :math:`(1 + z^{-1})^2`, :math:`1 - z^{-2}` or
:math:`(1 - z^{-1})^2`, of which any numerator is a sum.
"""

import math
from collections.abc import Sequence

from .stages import Plug, Stages, added, gain, plug

CLOSE = 1e-8
"""How near coefficients must be to those of a plug-in, relative to the largest."""
TINY = 1e-9
LARGEST = 1e6  # of the gains of a shelf, as a ratio of powers

Section = tuple[Sequence[float], Sequence[float]]
"""Numerator and denominator, three numbers each."""


def cascade(sections: Sequence[Section], sample_rate: float) -> Stages:
    """Sections in series."""
    return tuple(stage for section in sections for stage in section_stages(*section, sample_rate))


def section_stages(b: Sequence[float], a: Sequence[float], sample_rate: float) -> Stages:
    """The stages of a stable section."""
    b, a = [each / a[0] for each in b], [each / a[0] for each in a]
    if _near(b, [b[0] * each for each in a]):
        return gain(b[0])
    found = [stages for known in KNOWN if (stages := known(b, a, sample_rate)) is not None]
    return min(found, key=len) if found else _any(b, a, sample_rate)  # a low shelf is a high one with a gain


def _first_order(b: Sequence[float], a: Sequence[float], sample_rate: float) -> Stages | None:
    """A low-pass or a high-pass, with a gain."""
    if abs(a[2]) > TINY or abs(b[2]) > TINY * max(map(abs, b)) or not -1 < a[1] < 1:
        return None
    for sign, kind in ((1, "LowpassFilter"), (-1, "HighpassFilter")):
        if _near(b, [b[0], sign * b[0], 0.0]):
            t = (1 + a[1]) / (1 - a[1])  # tan of half the cutoff
            own = t / (1 + t) if sign > 0 else 1 / (1 + t)
            return (_at(kind, 2 * math.atan(t), sample_rate), *gain(b[0] / own))
    return None


def _peak(b: Sequence[float], a: Sequence[float], sample_rate: float) -> Stages | None:
    scale = (1 + a[2]) / (b[0] + b[2]) if b[0] + b[2] else 0.0
    n = [scale * each for each in b]
    alpha, wide = (1 - a[2]) / (1 + a[2]), (n[0] - n[2]) / (1 + a[2])  # α/A, and αA
    cosine = -a[1] / (1 + a[2])
    if scale <= 0 or not (alpha > 0 and wide > 0 and abs(cosine) < 1 and _near(n, [n[0], a[1], n[2]])):
        return None
    q = math.sqrt(1 - cosine**2) / (2 * math.sqrt(wide * alpha))
    return _with_gain("PeakFilter", math.acos(cosine), wide / alpha, q, 1 / scale, sample_rate)


def _low_shelf(b: Sequence[float], a: Sequence[float], sample_rate: float) -> Stages | None:
    return _shelf("LowShelfFilter", b, a, 1, sample_rate)


def _high_shelf(b: Sequence[float], a: Sequence[float], sample_rate: float) -> Stages | None:
    return _shelf("HighShelfFilter", b, a, -1, sample_rate)


def _shelf(kind: str, b: Sequence[float], a: Sequence[float], side: int, sample_rate: float) -> Stages | None:
    """A shelf, whose A follows from the gains at both ends, and whose frequency from the sums of coefficients.

    At zero frequency a low shelf has the gain A², at the Nyquist frequency 1; a high shelf the other way round.
    """
    dc, nyquist = sum(b) / sum(a), (b[0] - b[1] + b[2]) / (a[0] - a[1] + a[2])
    if dc <= 0 or nyquist <= 0:
        return None
    A2, scale = (dc / nyquist, nyquist) if side > 0 else (nyquist / dc, dc)
    if not 1 / LARGEST < A2 < LARGEST or abs(A2 - 1) < TINY:
        return None
    A = math.sqrt(A2)
    # a is proportional to (A+1)+s(A−1)c+r, −2s((A−1)+s(A+1)c), (A+1)+s(A−1)c−r.
    half = -side * a[1] / (1 + a[2])  # ((A−1)+s(A+1)c) / ((A+1)+s(A−1)c)
    cosine = side * (half * (A + 1) - (A - 1)) / ((A + 1) - half * (A - 1))
    if not -1 < cosine < 1:
        return None
    root = (1 - a[2]) / (1 + a[2]) * ((A + 1) + side * (A - 1) * cosine)  # 2√A α
    q = math.sqrt(1 - cosine**2) * math.sqrt(A) / root
    whole = (A + 1) + side * (A - 1) * cosine + root
    ends, middle = (A + 1) - side * (A - 1) * cosine, 2 * (side * (A - 1) - (A + 1) * cosine)
    wanted = [A * scale * each / whole for each in (ends + root, middle, ends - root)]
    return _with_gain(kind, math.acos(cosine), A2, q, scale, sample_rate) if _near(b, wanted) else None


KNOWN = _first_order, _peak, _low_shelf, _high_shelf


def _any(b: Sequence[float], a: Sequence[float], sample_rate: float) -> Stages:
    """Any numerator as a sum of three."""
    alpha, cosine = (1 - a[2]) / (1 + a[2]), -a[1] / (1 + a[2])
    angle = math.acos(cosine)
    t, A2 = math.tan(angle / 2), math.sin(angle) / alpha
    low, high = (_at(kind, angle, sample_rate) for kind in ("LowpassFilter", "HighpassFilter"))
    poles = _at("PeakFilter", angle, sample_rate, gain_db=20 * math.log10(A2), q=math.sqrt(A2) / 2)
    chains = (low, low, poles), (low, high, poles), (high, high, poles)
    wanted = (b[0] + b[1] + b[2]) / 4, (b[0] - b[2]) / 2, (b[0] - b[1] + b[2]) / 4
    factors = [x * (1 + t * t) * (1 + alpha) / own for x, own in zip(wanted, (t * t, t, 1.0), strict=True)]
    least = TINY * max(map(abs, factors))
    return added(*((*chain, *gain(x)) for chain, x in zip(chains, factors, strict=True) if abs(x) > least))


def _with_gain(kind: str, angle: float, A2: float, q: float, scale: float, sample_rate: float) -> Stages:
    return (_at(kind, angle, sample_rate, gain_db=20 * math.log10(A2), q=q), *gain(scale))


def _at(kind: str, angle: float, sample_rate: float, **settings: float) -> Plug:
    return plug(kind, cutoff_frequency_hz=angle * sample_rate / (2 * math.pi), **settings)


def _near(x: Sequence[float], y: Sequence[float]) -> bool:
    return max(abs(p - q) for p, q in zip(x, y, strict=True)) <= CLOSE * max(map(abs, y))
