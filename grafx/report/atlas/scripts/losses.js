// How losses and sizes are spread over the songs; a bar shows its songs.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h } = grafx.dom;
  const { format } = grafx;
  const BINS = 24;
  const SHOWN = [
    { column: "over", title: "Loss of what was found, relative to the plain sum", unit: "" },
    { column: "processors", title: "Processors that were found", unit: "", whole: true },
    { column: "seconds", title: "Time of the search", unit: "s", scale: "log" },
  ];

  function create(atlas) {
    const place = document.querySelector("#losses .part-body");
    if (!place) return;
    for (const one of SHOWN) {
      const values = atlas.songs.map((song) => song[one.column]).filter((value) => value !== null);
      if (values.length) place.append(spread(atlas, one, values));
    }
  }

  function spread(atlas, one, values) {
    let low = values.reduce((a, b) => Math.min(a, b));
    let high = values.reduce((a, b) => Math.max(a, b));
    const whole = one.whole && high - low < 2 * BINS;
    if (whole) [low, high] = [low - 0.5, high + 0.5];
    else if (low === high) [low, high] = [low * 0.9 - 1e-3, high * 1.1 + 1e-3];
    const log = one.scale === "log" && low > 0 && high > 8 * low;
    const axis = { low, high, unit: one.unit, scale: log ? "log" : "linear" };
    const scale = grafx.scale.create(axis);
    const bins = Array(whole ? Math.round(high - low) : BINS).fill(0);
    const bin = (value) => Math.min(bins.length - 1, Math.max(0, Math.floor(scale.place(value) * bins.length)));
    values.forEach((value) => (bins[bin(value)] += 1));
    const { x, y } = grafx.settings.steps(axis, [100, 0, 0, 0, bins]);
    const middle = [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
    const what = { title: one.title, x: axis, y: { low: 0, high: Math.max(...bins) * 1.05, label: "songs", whole: true }, series: [{ style: "area", x, y }] };
    const onSeek = (value) => {
      const at = bin(value);
      atlas.filter({ column: one.column, from: scale.value(at / bins.length), to: scale.value((at + 1) / bins.length), last: at === bins.length - 1 });
    };
    const view = grafx.plot.view(what, { height: 170, onSeek });
    return h("div", null, view.element, h("p", { class: "plot-spread" }, `median ${format.measured(middle, one.unit)}; choose a bar to see its songs`));
  }

  grafx.losses = { create };
})();
