// The settings of one kind of processor, on one stem next to all.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button, printable } = grafx.dom;
  const { format } = grafx;
  const HEIGHT = 150;

  function create(atlas) {
    const place = document.querySelector("#settings .part-body");
    if (!place) return;
    const { model } = atlas;
    const choice = (label, options, change) => {
      const control = h("select", { onchange: (event) => change(event.target.value) }, options.map(([value, text]) => h("option", { value }, printable(text))));
      return { control, element: h("label", null, h("span", { class: "small-label" }, label), control) };
    };
    const kinds = choice("Processor", model.kinds.map((kind) => [kind, kind]), (kind) => atlas.choose(kind, atlas.stem));
    const stems = choice("on", [["", "all stems and buses"], ...model.stems.map((stem) => [stem, stem])], (stem) => atlas.choose(atlas.kind, stem));
    const filter = button("Show these songs", { onclick: () => atlas.filter({ kind: atlas.kind, stem: atlas.stem }) });
    const plots = h("div", { class: "small-plots", "aria-live": "off" });
    place.append(h("div", { class: "choices" }, kinds.element, stems.element, filter), plots);

    atlas.on("choose", () => {
      kinds.control.value = atlas.kind;
      stems.control.value = atlas.stem;
      const { curves, numbers } = model.settings[atlas.kind];
      const shown = [...curves.map((one) => curve(one, atlas.stem)), ...numbers.map((one) => histogram(one, atlas.stem))].filter(Boolean);
      const none = h("p", { class: "empty" }, printable(`No ${atlas.kind} was found on ${atlas.stem}.`));
      plots.replaceChildren(...(shown.length ? shown : [none]));
      filter.disabled = !shown.length;
    });
  }

  // As steps: the share of values in each bin, of a stem and of all.
  function histogram(one, stem) {
    const names = stem ? ["", stem] : [""];
    if (!one.by[stem]) return null;
    const series = names.reverse().map((name) => ({ label: name || "all", style: "area", ...steps(one, one.by[name]) }));
    const high = Math.max(...series.flatMap((each) => each.y));
    const what = {
      title: one.title,
      x: { low: one.low, high: one.high, unit: one.unit, scale: one.scale },
      y: { low: 0, high: high * 1.05, unit: "%", label: "share" },
      series,
    };
    return h("div", null, grafx.plot.view(what, { height: HEIGHT }).element, spread(one, stem));
  }

  function steps(one, [count, , , , bins]) {
    const scale = grafx.scale.create(one);
    const x = [];
    const y = [];
    bins.forEach((number, i) => {
      x.push(scale.value(i / bins.length), scale.value((i + 1) / bins.length));
      y.push((100 * number) / count, (100 * number) / count);
    });
    return { x, y };
  }

  function spread(one, stem) {
    const [count, low, middle, high] = one.by[stem];
    const text = (value) => format.measured(value, one.unit);
    return h("p", { class: "plot-spread" }, `median ${text(middle)}; 8 of 10 from ${text(low)} to ${text(high)}; of ${count}`);
  }

  // Over frequencies: the middle, and where 8 of 10 lie.
  function curve(one, stem) {
    if (!one.by[stem]) return null;
    const [count, low, middle, high] = one.by[stem];
    const series = [["median", middle], ["9 of 10 below", high], ["9 of 10 above", low]].map(([label, y]) => ({ label, x: one.hertz, y }));
    const all = [...low, ...high];
    const [bottom, top] = [Math.min(0, ...all), Math.max(0, ...all)];
    const decades = one.unit === "ms" && Math.min(...all) > 0;
    const what = {
      title: `${one.title}, of ${count}`,
      x: { low: one.hertz[0], high: one.hertz.at(-1), scale: "log", unit: "Hz" },
      y: { low: decades ? Math.min(...all) : bottom - 0.05 * (top - bottom), high: top + 0.05 * (top - bottom), unit: one.unit, scale: decades ? "log" : "linear" },
      series,
    };
    return h("div", { class: "wide-plot" }, grafx.plot.view(what, { height: HEIGHT + 18 }).element);
  }

  grafx.settings = { create, steps };
})();
