"""Functions of Faust that nodes are made of; those that a file uses are written into it."""

import re

HELPERS = r"""
// Angular frequency in radians per sample.
angle(f) = 2*ma.PI*f/ma.SR;

// Amplitude of decibels.
amplitude(g) = exp(g*log(10)/20);

// Samples of milliseconds.
samples(ms) = ms*ma.SR/1000;

// Gains of the left channel for a position from -1 to 1.
pan_linear(p) = (1 - p)/2;
pan_power(p) = sin(ma.PI/4*(1 - p));
pan_balance(p) = min(1, 1 - p);
pan_between(p) = ma.signum(pan_linear(p))*sqrt(max(0, pan_linear(p)*pan_power(p)));

// A number that is whole but for rounding, rounded.
whole(t) = select2(abs(t - near) <= min(0.02, 0.000001*abs(near)), t, near) with { near = rint(t); };

// Second-order section.
biquad(b0, b1, b2, a0, a1, a2) = fi.tf2(b0/a0, b1/a0, b2/a0, a1/a0, a2/a0);

// Second-order section from the powers of s, of which s = j is at the angle 2 atan g.
bilinear(b2, b1, b0, a2, a1, a0, g) = biquad(up(b2, b1, b0, 1), up(b2, b1, b0, 0), up(b2, b1, b0, 0-1),
    up(a2, a1, a0, 1), up(a2, a1, a0, 0), up(a2, a1, a0, 0-1))
with {
    up(c2, c1, c0, side) = select2(side == 0, c2 + side*c1*g + c0*g*g, 2*(c0*g*g - c2));
};

// Filters of the Audio EQ Cookbook, for a frequency in Hz, a quality and a gain in dB.
lowpass(f, q) = biquad(b, 2*b, b, 1 + a, 0 - 2*cos(w), 1 - a)
with { w = angle(f); a = sin(w)/(2*q); b = sin(w/2)*sin(w/2); };
highpass(f, q) = biquad(b, 0 - 2*b, b, 1 + a, 0 - 2*cos(w), 1 - a)
with { w = angle(f); a = sin(w)/(2*q); b = cos(w/2)*cos(w/2); };
bandpass(f, q) = biquad(a, 0, 0 - a, 1 + a, 0 - 2*cos(w), 1 - a) with { w = angle(f); a = sin(w)/(2*q); };
bandreject(f, q) = biquad(1, 0 - 2*cos(w), 1, 1 + a, 0 - 2*cos(w), 1 - a) with { w = angle(f); a = sin(w)/(2*q); };
allpass(f, q) = biquad(1 - a, 0 - 2*cos(w), 1 + a, 1 + a, 0 - 2*cos(w), 1 - a) with { w = angle(f); a = sin(w)/(2*q); };
peaking(f, q, g) = biquad(1 + a*A, 0 - 2*cos(w), 1 - a*A, 1 + a/A, 0 - 2*cos(w), 1 - a/A)
with { w = angle(f); a = sin(w)/(2*q); A = amplitude(g/2); };
highshelf(f, q, g) = biquad(mean(A) + edge(A), mid(A), mean(A) - edge(A),
    mean(1/A) + edge(1/A), mid(1/A), mean(1/A) - edge(1/A))
with {
    A = amplitude(g/2); c = cos(angle(f)); a = sin(angle(f))/(2*q);
    mean(v) = v + 1 + (v - 1)*c; edge(v) = 2*sqrt(v)*a; mid(v) = 0 - 2*(v - 1 + (v + 1)*c);
};
lowshelf(f, q, g) = highshelf(f, q, 0 - g) : *(amplitude(g));

// First-order filters, with -3 dB or a quarter of a turn at a frequency in Hz.
lowpass1(f) = biquad(s, s, 0, s + c, s - c, 0) with { s = sin(angle(f)/2); c = cos(angle(f)/2); };
highpass1(f) = biquad(c, 0 - c, 0, s + c, s - c, 0) with { s = sin(angle(f)/2); c = cos(angle(f)/2); };
allpass1(f) = biquad(s - c, s + c, 0, s + c, s - c, 0) with { s = sin(angle(f)/2); c = cos(angle(f)/2); };

// Peak of a graphic equalizer, for a centre and a width in Hz and a gain in dB.
graphic(f, width, g) = biquad(1 + a*A, 0 - 2*cos(w), 1 - a*A, 1 + a/A, 0 - 2*cos(w), 1 - a/A)
with {
    w = angle(f); A = amplitude(g/2); v = log(A)*2/5; cosh = (exp(v) + exp(0 - v))/2;
    a = sqrt(2*cosh/(4*cosh*cosh - 1))*tan(angle(width)/2);
};

// Butterworth band-pass: tangents of half the angles of its edges, and its sections.
band_edge(low, high, side) = tan(ma.PI/2/(1 + exp(0 - (lower + upper)/2 - side*half)))
with {
    lower = logit(low); upper = logit(high); logit(f) = log(f/(ma.SR/2 - f)); apart = abs(upper - lower)/2;
    half = select2(apart < 0.02, apart, 0.01 + apart*apart/0.04);
};
band_pair(lower, upper, q, side) = bilinear(0, width, 0, 1, 0 - 2*re, re*re + im*im, 1)
with {
    width = upper - lower; pr = 0 - q*width/4; pi = sqrt(4 - q*q)*width/4;
    dr = pr*pr - pi*pi - lower*upper; di = 2*pr*pi; root = sqrt(sqrt(dr*dr + di*di)); turned = atan2(di, dr)/2;
    re = pr + side*root*cos(turned); im = pi + side*root*sin(turned);
};
band_single(lower, upper) = bilinear(0, upper - lower, 0, 1, upper - lower, lower*upper, 1);

// First-order high-pass with the gain 1 far above.
dc_blocker(f) = fi.tf2(1, 0-1, 0, 0 - tan(ma.PI/4 - angle(f)/2), 0);

// Ladder with a hyperbolic tangent in its loop, which is solved at each sample.
saturating_ladder(g, k, c0, c1, c2, c3, c4) = (loop ~ si.bus(4)) : !, !, !, !, _
with {
    loop(s1, s2, s3, s4, x) = 2*y1 - s1, 2*y2 - s2, 2*y3 - s3, 2*y4 - s4, c0*y0 + c1*y1 + c2*y2 + c3*y3 + c4*y4
    with {
        w = x - k*(1 - g)*(((s1*g + s2)*g + s3)*g + s4); a = k*g*g*g*g; size = abs(w);
        start = max(size/(1 + a), size - a);
        closer(v) = v - miss*slope/(slope*slope + miss*u*bend)
        with { u = hyperbolic(v); bend = a*(1 - u*u); miss = v + a*u - size; slope = 1 + bend; };
        y0 = hyperbolic(closer(closer(closer(start))))*ma.signum(w);
        y1 = s1 + g*(y0 - s1); y2 = s2 + g*(y1 - s2); y3 = s3 + g*(y2 - s3); y4 = s4 + g*(y3 - s4);
    };
};

// Tone stack of a guitar amplifier, of resistors, capacitors and the positions of its potentiometers.
tone_stack(R1, R2, R3, R4, C1, C2, C3, bass, m, t) = fi.iir((z0(0, b1, b2, b3)/a, z1(0, b1, b2, b3)/a,
    z2(0, b1, b2, b3)/a, z3(0, b1, b2, b3)/a), (z1(1, a1, a2, a3)/a, z2(1, a1, a2, a3)/a, z3(1, a1, a2, a3)/a))
with {
    l = exp(3.4*(bass - 1)); pairs = C1*C2 + C1*C3 + C2*C3; triple = C1*C2*C3; r = 2*ma.SR;
    b1 = t*C1*R1 + m*C3*R3 + (C1 + C2)*(l*R2 + R3);
    a1 = C1*(R1 + R3) + C2*(R3 + R4) + C3*R4 + m*C3*R3 + l*(C1 + C2)*R2;
    mid = (m - m*m)*(C1 + C2)*C3*R3*R3 + m*C1*C3*R1*R3 + l*m*(C1 + C2)*C3*R2*R3;
    b2 = mid + t*C1*(C2 + C3)*R1*R4 + l*(C1*C2*R1*R2 + C1*(C2 + C3)*R2*R4) + C1*C2*R1*R3 + C1*(C2 + C3)*R3*R4;
    a2 = mid - m*C2*C3*R3*R4 + l*(C1*C2*R1*R2 + pairs*R2*R4) + C1*(C2 + C3)*R1*R4 + C1*C2*R1*R3 + pairs*R3*R4;
    common = l*m*(R1 + R4)*R2*R3 + (m - m*m)*(R1 + R4)*R3*R3; rest = R1*R3*R4*(1 - m) + l*R1*R2*R4;
    b3 = triple*(common + t*rest); a3 = triple*(common + rest); a = z0(1, a1, a2, a3);
    z0(c0, c1, c2, c3) = c0 + c1*r + c2*r*r + c3*r*r*r; z1(c0, c1, c2, c3) = 3*c0 + c1*r - c2*r*r - 3*c3*r*r*r;
    z2(c0, c1, c2, c3) = 3*c0 - c1*r - c2*r*r + 3*c3*r*r*r; z3(c0, c1, c2, c3) = c0 - c1*r + c2*r*r - c3*r*r*r;
};

// Schroeder's allpass filter with a gain, and with a filter in its place.
fraction(most, t) = at_age(most, m - 1) : fi.tf2(eta, 1, 0, eta, 0)
with { m = floor(t - 0.5); eta = (1 - t + m)/(1 + t - m); };
schroeder(most, t, g) = (\(p, x).(x - g*p)) ~ fraction(most, t) <: *(g), (mem : fraction(most, t)) :> _;
damped_schroeder(most, t, low, high, f) = (\(p, x).((x - p) : fi.tf2(1/d0, 0, 0, d1/d0, 0))) ~
    (fraction(most, t) : two(n0, n1)) <: two(n1, n0), (mem : fraction(most, t) : two(d1, d0)) :> _
with {
    s = sin(angle(f)/2); c = cos(angle(f)/2); two(a, b, x) = a*x + b*x';
    n0 = low*s + high*c; n1 = low*s - high*c; d0 = s + c; d1 = s - c;
};

// Sections given by coefficients, and by radius and frequency of a pair of zeros and of poles.
free_biquad(b0, b1, b2, a1, position) = fi.tf2(b0, b1, b2, a1, ((2 - abs(a1))*position + abs(a1))/2);
normalized(a0) = *(a0/(a0*a0 + 0.00000001));
pole_zero(zr, zf, pr, pf) = fi.tf2(1, 0 - 2*zr*cos(angle(zf)), zr*zr, 0 - 2*pr*cos(angle(pf)), pr*pr);

// Straight lines to each new target within a number of samples.
ramp(d) = (step ~ si.bus(4)) : _, !, !, !
with {
    step(y, t, i, r, x) = select2(lands, y + rise, aim), aim, rise, select2(lands, left, 0)
    with {
        starts = (r <= 0.5) | (abs(x - t) > 0.000000000001); rise = select2(starts, i, (x - y)/d);
        aim = select2(starts, t, x); left = select2(starts, r - 1, d); lands = left <= 1;
    };
};

// Coefficient of a smoother with a time constant in ms.
coefficient(ms) = exp(0 - 1000/(ms*ma.SR));

// Smoother with a coefficient each for rising and for falling.
ballistics(attack, release) = follow ~ _
with { follow(y, u) = a*y + (1 - a)*u with { a = select2(u >= y, release, attack); }; };

// Smoother whose response is cut after as many samples as there are taps.
smoother(a, taps, u) = (1 - a)*(u - pow(a, taps)*(u @ taps)) : + ~ *(a);

// Static curves over the level beyond a threshold.
quadratic_knee(w, x) = (t - c/2)*c*w with { t = x/w + 0.5; c = min(1, max(0, t)); };
exponential_knee(s, x) = (max(0, v) + log(1 + exp(0 - abs(v))))/s with { v = x*s; };
guarded_knee(w, x) = select2(abs(x) <= w/2, max(0, x), (x + w/2)*(x + w/2)/(2*(w + 0.001)));
quadratic_step(w, x) = select2(c <= 0.5, 1 - 2*(1 - c)*(1 - c), 2*c*c) with { c = min(1, max(0, x/w + 0.5)); };

// Numbers beyond a limit, bounded softly to it and a margin.
soft_bound(limit, margin, x) = select2(e > 0, x, ma.signum(x)*(limit + margin*e/(margin + e)))
with { e = abs(x) - limit; };

// Curves of distortions, and their antiderivatives.
hyperbolic(x) = 1 - 2/(exp(2*max(0-30, min(30, x))) + 1);
hyperbolic_first(x) = abs(x) + log(1 + exp(0 - 2*abs(x))) - log(2);
clipped(x) = min(1, max(0-1, x));
clipped_first(x) = c*c/2 + c*(x - c) with { c = clipped(x); };
cubic(x) = c - 4/27*c*c*c with { c = min(1.5, max(0-1.5, x)); };
cubic_first(x) = c*c*(0.5 - c*c/27) + cubic(c)*(x - c) with { c = min(1.5, max(0-1.5, x)); };
arcus(x) = atan(x*ma.PI/2)*2/ma.PI;
arcus_first(x) = (v*atan(v) - log(1 + v*v)/2)*4/ma.PI/ma.PI with { v = x*ma.PI/2; };
tube(x) = hyperbolic(x*scale)/scale with { scale = select2(x < 0, 1, 2); };
tube_first(x) = hyperbolic_first(x*scale)/scale/scale with { scale = select2(x < 0, 1, 2); };
sine_fold(x) = sin(x);
sine_fold_first(x) = 0 - cos(x);
triangle_fold(x) = select2(abs(t) <= 1, ma.signum(t)*2 - t, t) with { t = x - 4*rint(x/4); };
triangle_fold_first(x) = (y*y - 1)/2*select2(abs(t) <= 1, 0-1, 1) with { t = x - 4*rint(x/4); y = triangle_fold(x); };
smooth_piece(x) = 0;
clipped_piece(x) = int(clipped(x));
cubic_piece(x) = int(clipped(x/1.5));
tube_piece(x) = x < 0;
triangle_fold_piece(x) = rint(x/2);
mean_of(f, first, piece, v, before) = select2(close, (first(v) - first(before))/select2(close, step, 1), points)
with {
    step = v - before; scale = sqrt(1 + abs(first(v)));
    close = ((abs(step) < 0.01*scale) & (piece(v) == piece(before))) | (abs(step) < 0.000001*scale);
    points = (5*at(0.5 - sqrt(0.15)) + 8*at(0.5) + 5*at(0.5 + sqrt(0.15)))/18; at(p) = f(before + step*p);
};
piecewise_tanh(hp, kp, hn, kn, v) = hyperbolic(min(kp, max(0 - kn, v))) + beyond(hp, kp, v - kp)
    - beyond(hn, kn, 0 - kn - v)
with { beyond(h, k, x) = (1 - hyperbolic(k)*hyperbolic(k))/h*hyperbolic(h*max(0, x)); };

// Each sample held for a number of samples, which are counted by a phase that wraps at 32 bits.
hold(h) = (\(y, x).(select2((h <= 1) | (shifted(passed) < shifted(ticks)), y, x))) ~ _
with {
    all = ceil(4294967296.0/h); ticks = int(select2(all >= 2147483648.0, all, all - 4294967296.0));
    passed = ticks : + ~ _ : mem; shifted(i) = i xor (0 - 2147483647 - 1);
};

// Delay by a time in samples within a range, interpolated.
at_age(most, d, x) = x @ int(min(most, max(0, d)));
linear_delay(most, t, x) = at_age(most + 1, d, x)*(1 - f) + at_age(most + 1, d + 1, x)*f
with { d = floor(t); f = t - d; };
cubic_delay(most, t, x) = at_age(most + 3, d, x)*w0 + at_age(most + 3, d + 1, x)*w1 + at_age(most + 3, d + 2, x)*w2
    + at_age(most + 3, d + 3, x)*w3
with {
    d = max(0, floor(t - 1)); f = t - d; a = f - 1; b = f - 2; c = f - 3; usual = f >= 1;
    w0 = a*b*select2(usual, 0.5, c/(0-6)); w1 = f*b*select2(usual, 0-1, c/2);
    w2 = f*a*select2(usual, 0.5, c/(0-2)); w3 = f*a*select2(usual, 0, b/6);
};
allpass_delay(most, t, x) = (at_age(most + 2, d, x)*w0 + at_age(most + 2, d + 1, x)*w1) : (\(y, u).(u + y*p)) ~ _
with {
    d = max(0, floor(t - 0.5)); f = t - d; usual = f >= 0.5; scale = 1/select2(usual, 2 - f, 1 + f);
    w0 = select2(usual, 2 - 3*f, 1 - f)*scale; w1 = select2(usual, 3*f*scale, 1);
    p = select2(usual, 0 - f, f - 1)*scale;
};

// Delay in a loop with a gain, and with filters that take away bass and treble.
echo_read(most, t, v) = at_age(most, d - 1, v)*(1 - f) + at_age(most, d, v)*f with { d = floor(t); f = t - d; };
echo(most, t, g, sign) = (+ ~ (echo_read(most, t) : *(g*sign))) : mem : echo_read(most, t);
damped_echo(low, high, most, t, g, sign) =
    (+ ~ (echo_read(most, t) : echo_damping(low, high) : *(g*sign))) : mem : echo_read(most, t);
echo_damping(low, high) = fi.tf2(k, 0 - k, 0, 0 - a - r, a*r)
with {
    s = sin(angle(high)/2); a = square(sqrt(1 + s*s) - s); r = tan(ma.PI/4 - angle(low)/2);
    k = (1 - a)*(1 + r)/2; square(v) = v*v;
};

// Delay in a loop at times that move.
feedback_delay(most, t, g) = (+ ~ (linear_delay(most, t - 1) : *(g))) : mem : linear_delay(most, t - 1);

// Filters of Freeverb, with delays in samples.
comb(m, f, pole) = (+ ~ (@(m - 1) : *(f*(1 - pole)) : + ~ *(pole))) : mem : @(m - 1);
freeverb_allpass(m, x) = (x : + ~ (@(m - 1) : *(0.5)) : mem : @(m - 1)) - x;
freeverb_pole(d) = 2*k/(2*k + 1 + sqrt(4*k + 1))
with { k = max(0-0.2, d/((1 - d)*(1 - d))*(ma.SR/44100)*(ma.SR/44100)); };

// Phase in cycles from 0 to 1: the sum of all frequencies before.
phase(f) = f/ma.SR : (\(p, i).(ma.frac(p + i)) ~ _) : mem;

// Waveforms over a phase in cycles.
turn(p) = p - floor(p);
sine_wave(p, i) = sin(2*ma.PI*p);
triangle_wave(p, i) = 4*abs(turn(p + 0.75) - 0.5) - 1;
rounding(t, i) = square(max(0, 1 - (1 - t)/w)) - square(max(0, 1 - t/w))
with { w = min(0.5, max(0.000000000001, abs(i))); square(v) = v*v; };
saw_wave(p, i) = 2*turn(p) - 1 - rounding(turn(p), i);
square_wave(p, i) = select2(turn(p) < 0.5, 0-1, 1) + rounding(turn(p), i) - rounding(turn(p + 0.5), i);

// Harmonics whose group fades out below half the sample rate, summed from the highest down.
fade(most, i) = x*x*(3 - 2*x) with { x = min(1, max(0, (0.5/abs(i)/most - 1)/(pow(2, 1/12) - 1))); };
harmonics(weight, p, i, most, least) = seq(j, most - least, one(most - j))
with { one(k, b, before) = weight(k)*fade(most, i) + 2*cos(2*ma.PI*p)*b - before, b; };
between(sine, triangle, saw, square, k) =
    sine*sine_weight(k) + triangle*triangle_weight(k) + saw*saw_weight(k) + square*square_weight(k);
saw_weight(k) = (0-2)/ma.PI/k;
square_weight(k) = (k % 2)*4/ma.PI/k;
triangle_weight(k) = (k % 2)*(2 - k % 4)*8/ma.PI/ma.PI/k/k;
sine_weight(k) = k == 1;

// Envelopes: times in samples, and how they fall.
falling(x) = exp(0 - log(1000)*max(0, x));
lines(x) = max(0, 1 - x);
adsr(f, a, d, s, r, h) = select2(n >= h, select2(n >= a, n/a, s + (1 - s)*f(max(0, n - a)/d)), end*f(max(0, n - h)/r))
with { n = ba.time; end = select2(h < a, s + (1 - s)*f(max(0, h - a)/d), h/a); };
gated(f, a, d, s, r) = (step ~ si.bus(3)) : !, !, !, _
with {
    step(l, t, on, x) = select2(edge, l, y), select2(edge, t, 0) + 1, held, y
    with {
        held = x > 0.5; edge = held != on; peak = (1 - l)*a;
        y = select2(on > 0.5, l*f(t/r), select2(t >= peak, l + t/a, s + (1 - s)*f(max(0, t - peak)/d)));
    };
};

struck(rate) = (step ~ si.bus(3)) : !, !, !, _
with {
    step(l, t, on, x) = select2(edge, l, y), select2(edge, t, 0) + 1, held, select2(edge*held, y, 1)
    with {
        held = x > 0.5; edge = held != on;
        y = select2(on > 0.5, l, 1)*exp(0 - rate*t);
    };
};

// Mode that rings at a frequency in Hz, to -60 dB within a time in ms.
mode(f, ms, a, deg) = fi.tf2(a*sin(p), a*r*sin(angle(f) - p), 0, 0 - 2*r*cos(angle(f)), r*r)
with { p = deg*ma.PI/180; r = exp(0 - log(1000)/samples(ms)); };
"""

_DEFINITION = re.compile(r"^([a-z_]\w*)\(", re.MULTILINE)


def _pieces(text: str) -> dict[str, str]:
    """Name to definition; a comment goes with the definition that follows it."""
    found: dict[str, str] = {}
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines, comment, own = paragraph.split("\n"), "", ""
        for line in lines:
            if line.startswith("//"):
                comment = f"{line}\n"
                continue
            own += f"{line}\n"
            if _ends(own):
                match = _DEFINITION.match(own)
                assert match, f"it defines a function: {own}"
                found[match[1]], comment, own = comment + own.rstrip(), "", ""
    return found


def _ends(code: str) -> bool:
    """Whether a definition is complete: its braces are closed, and it ends."""
    return code.count("{") == code.count("}") and code.rstrip().endswith(";")


PIECES = _pieces(HELPERS)


def helpers_for(code: str) -> str:
    """The definitions that some code uses, and those that they use, in the order in which they are listed."""
    used: set[str] = set()
    new = {name for name in re.findall(r"[A-Za-z_]\w*", code) if name in PIECES}
    while new:
        used |= new
        new = {n for name in new for n in re.findall(r"[A-Za-z_]\w*", PIECES[name]) if n in PIECES} - used
    return "\n".join(piece for name, piece in PIECES.items() if name in used)
