// Linear, logarithmic and mel axes: where a value lies between 0 and 1, and where marks belong.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});

  const KINDS = {
    linear: [(v) => v, (u) => u],
    log: [Math.log, Math.exp],
    mel: [(v) => Math.log1p(v / 700), (u) => 700 * Math.expm1(u)],
  };

  function create({ low, high, scale = "linear", whole = false }) {
    let kind = KINDS[scale] ? scale : "linear";
    if (kind === "log" && !(low > 0 && high > 0)) kind = "linear";
    if (!(high > low)) [low, high] = kind === "log" ? [low / 1.5, low * 1.5] : [low - 0.5, low + 0.5];
    const [to, from] = KINDS[kind];
    const start = to(low);
    const span = to(high) - start;
    return {
      low,
      high,
      place: (value) => (to(Math.max(value, kind === "log" ? low * 1e-9 : -Infinity)) - start) / span,
      value: (place) => from(start + place * span),
      ticks: (count) => (kind === "linear" ? even(low, high, count, whole ? 1 : 0) : decades(low, high, count, (v) => (to(v) - start) / span)),
    };
  }

  function even(low, high, count, least = 0) {
    const rough = Math.max((high - low) / Math.max(1, count), least);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((m) => m * power >= rough * 0.999) * power;
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    // As many digits as tell neighbours apart.
    const digits = Math.max(3, Math.ceil(Math.log10(Math.max(Math.abs(first), Math.abs(last), 1)) + 1e-9) + 1);
    return Array.from({ length: last - first + 1 }, (_, i) => ({ value: Number(((first + i) * step).toPrecision(12)), named: true, digits }));
  }

  // All of 1, 2, 5 times powers of ten get a line; those a name that have room for it.
  function decades(low, high, count, place) {
    const marks = [];
    for (let power = Math.floor(Math.log10(Math.max(low, 1e-12))); power <= Math.log10(high); power += 1) {
      for (const step of [1, 2, 5]) {
        const value = Number((step * 10 ** power).toPrecision(3));
        if (value >= low * 0.999 && value <= high * 1.001) marks.push({ value, step, named: false });
      }
    }
    const taken = [];
    for (const step of [1, 5, 2]) {
      for (const mark of marks.filter((m) => m.step === step)) {
        const here = place(mark.value);
        if (taken.every((other) => Math.abs(other - here) > 0.7 / count)) {
          mark.named = true;
          taken.push(here);
        }
      }
    }
    return marks.some((m) => m.named) && marks.length > 1 ? marks : even(low, high, count).filter((m) => m.value > 0);
  }

  grafx.scale = { create };
})();
