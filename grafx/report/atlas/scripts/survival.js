// How often each kind of processor survives, on each stem: a table whose cells choose what the settings show.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button, printable } = grafx.dom;
  const MOST = 14; // columns; the choice of stems below has all

  function create(atlas) {
    const place = document.querySelector("#survival .part-body");
    if (!place) return;
    const { model } = atlas;
    const stems = ["", ...model.stems.filter((stem) => stem !== "others").slice(0, MOST)];
    const cells = [];

    function cell(kind, stem) {
      const [found, of] = model.survival[kind][stem] ?? [0, 0];
      if (!found && !of) return h("td", { class: "empty" }, "–");
      const share = of ? found / of : 0;
      const text = of ? `${Math.round(100 * share)} %` : String(found);
      const label = `${kind}, ${stem || "all"}: ${found}${of ? ` of ${of} survived` : " found"}`;
      const control = button(text, { class: "share", style: `--share: ${share.toFixed(3)}`, "aria-label": printable(label), title: printable(label), onclick: () => atlas.choose(kind, stem) },
        of ? h("small", null, `${found} of ${of}`) : null);
      cells.push({ control, kind, stem });
      return h("td", null, control);
    }

    place.append(
      h("p", { class: "hint" }, "The share of the processors that a search began with and kept. Choose one to see its settings."),
      h("div", { class: "wide" }, h("table", { class: "shares" },
        h("thead", null, h("tr", null, h("td"), stems.map((stem) => h("th", { scope: "col" }, bdi(stem || "all"))))),
        h("tbody", null, model.kinds.map((kind) => h("tr", null, h("th", { scope: "row" }, bdi(kind)), stems.map((stem) => cell(kind, stem))))))));
    atlas.on("choose", () => cells.forEach(({ control, kind, stem }) => control.setAttribute("aria-pressed", String(kind === atlas.kind && stem === atlas.stem))));
  }

  grafx.survival = { create };
})();
