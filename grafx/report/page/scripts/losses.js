// The loss: in key figures, by band, over time; and how much of it each node saves.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button } = grafx.dom;
  const { format } = grafx;

  function create(page) {
    const figures = document.getElementById("figures");
    const place = document.querySelector("#losses .part-body");
    const worth = document.querySelector("#worth .part-body");
    let over = null;
    if (place) page.follow((time) => over?.playhead(time));

    function update() {
      const { model } = page;
      figures.replaceChildren(...facts(model).map(([name, value, more]) => h("div", null, h("dt", null, name), h("dd", null, value, more ? h("small", null, more) : null))));
      if (place && model.loss) {
        const bands = byBand(model.loss);
        over = overTime(model, page);
        place.replaceChildren(...[bands, over].filter(Boolean).map(({ element }) => element));
      }
      const ranked = ranking(model);
      document.getElementById("worth").hidden = !ranked.length;
      if (ranked.length) worth.replaceChildren(...bars(page, ranked));
    }
    update();
    return { update };
  }

  function facts(model) {
    const nodes = Object.values(model.nodes);
    const sounding = nodes.filter((node) => !["in", "out", "mix"].includes(node.type));
    const { loss } = model;
    const share = (other) => (other && loss.found < other ? `${format.number(100 * (1 - loss.found / other), 2)} % less` : null);
    return [
      ...(loss ? [["Loss", format.number(loss.found)]] : []),
      ...(loss && known(loss.plain) ? [["Loss of the plain sum", format.number(loss.plain), share(loss.plain)]] : []),
      ...(loss && known(loss.console) ? [["Loss of the full console", format.number(loss.console)]] : []),
      ["Processors", String(sounding.length)],
      ["Nodes", String(nodes.length)],
      ...(model.seconds ? [["Length", format.time(model.seconds)]] : []),
      ["Sample rate", `${format.number(model.sample_rate / 1000, 5)} kHz`],
    ];
  }

  const known = (value) => value !== null && value !== undefined;

  function series(part, axis) {
    const found = { label: "found", x: part[axis], y: part.values, style: "area" };
    return part.plain ? [found, { label: "plain sum", x: part[axis], y: part.plain, style: "line" }] : [found];
  }

  function limits(all) {
    const values = all.flatMap(({ y }) => y).filter(known);
    return { low: Math.min(0, ...values), high: Math.max(...values, 1e-9) * 1.05 };
  }

  function byBand({ bands, unit }) {
    if (!bands?.hz?.length) return null;
    const all = series(bands, "hz");
    const positive = bands.hz.filter((v) => v > 0);
    const x = { label: "Frequency", unit: "Hz", scale: "log", low: Math.min(...positive), high: Math.max(...positive) };
    return grafx.plot.plot({ kind: "plot", title: "Loss by band", x, y: { label: "Loss", unit: unit ?? "", scale: "linear", ...limits(all) }, series: all });
  }

  function overTime({ loss, seconds }, page) {
    const { time, unit } = loss;
    if (!time?.seconds?.length) return null;
    const all = series(time, "seconds");
    const x = { label: "Time", unit: "s", scale: "linear", low: 0, high: seconds };
    const what = { kind: "plot", title: "Loss over time", x, y: { label: "Loss", unit: unit ?? "", scale: "linear", ...limits(all) }, series: all };
    return grafx.plot.plot(what, { onSeek: page.player ? (at) => page.seek(at) : null });
  }

  function ranking({ nodes, loss }) {
    const base = loss?.found ?? 0;
    return Object.values(nodes).filter((node) => known(node.loss_without)).map((node) => ({ node, more: node.loss_without - base })).sort((a, b) => b.more - a.more);
  }

  function bars(page, ranked) {
    const most = Math.max(...ranked.map(({ more }) => Math.abs(more)), 1e-12);
    const rows = ranked.map(({ node, more }) => {
      const bar = h("span", { class: more < 0 ? "bar bar-less" : "bar" });
      bar.style.width = `${((100 * Math.abs(more)) / most).toFixed(1)}%`;
      return h("li", null, button(bdi(node.label), { class: "link", click: () => page.select(node.id, true) }), h("span", { class: "bar-track", "aria-hidden": "true" }, bar), h("span", { class: "number" }, `${more >= 0 ? "+" : ""}${format.number(more, 2)}`));
    });
    return [h("p", { class: "hint" }, "How much the loss rises when one node is left out and all others stay as they are."), h("ol", { class: "bars" }, rows)];
  }

  grafx.losses = { create };
})();
