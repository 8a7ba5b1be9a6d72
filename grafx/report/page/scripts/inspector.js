// The chosen node: its sounds, settings and curves, and what the mix would lose without it.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button, printable } = grafx.dom;
  const { format, levels } = grafx;

  function create(page) {
    const place = document.getElementById("inspector");
    const chooser = h("select", { id: "node-chooser", change: () => page.select(chooser.value === "" ? null : Number(chooser.value)) });
    const body = h("div", { class: "inspector-body" });
    place.replaceChildren(h("div", { class: "inspector-head" }, h("label", { for: "node-chooser", class: "small-label" }, "Node"), chooser), body);
    let unfollow = [];
    let panel = null;

    function list() {
      const groups = new Map();
      for (const node of Object.values(page.model.nodes)) groups.set(node.owner ?? "", [...(groups.get(node.owner ?? "") ?? []), node]);
      const option = (node) => h("option", { value: node.id }, `${printable(node.label)}  · ${node.id}`);
      chooser.replaceChildren(h("option", { value: "" }, "choose one …"), ...[...groups].flatMap(([owner, nodes]) =>
        owner ? [h("optgroup", { label: printable(owner) }, nodes.map(option))] : nodes.map(option)));
      chooser.value = page.selected ?? "";
    }

    function show() {
      unfollow.forEach((stop) => stop());
      unfollow = [];
      chooser.value = page.selected ?? "";
      const node = page.model.nodes[page.selected];
      panel = h("div", { class: "knobs" });
      body.replaceChildren(...(node ? about(node).filter(Boolean) : [hint(), panel]));
      marks();
      page.emit("panel", node ? node.id : null);
    }

    const hint = () => h("p", { class: "empty" }, Object.keys(page.model.nodes).length
      ? "Choose a node in the drawing or in the list, to see its curves and settings and to hear what it does."
      : "There is nothing to choose.");

    function about(node) {
      const facts = [
        node.bypassed ? "bypassed" : null,
        node.wet !== null && node.wet !== undefined ? `wet ${format.number(100 * node.wet)} %` : null,
        `node ${node.id}`,
      ].filter(Boolean).join(" · ");
      return [
        h("div", { class: "about" },
          h("h3", null, bdi(node.label)),
          h("p", { class: "facts" }, facts),
          neighbours("From", node.inputs),
          neighbours("To", node.outputs),
          worth(node),
          sounds(node)),
        h("div", { class: "about" }, panel, settings(node)),
        node.views?.length ? h("div", { class: "views" }, views(node)) : null,
      ];
    }

    function neighbours(label, ids) {
      if (!ids?.length) return null;
      return h("p", { class: "neighbours" }, h("span", { class: "small-label" }, label), [...new Set(ids)].map((id) =>
        button(bdi(page.model.nodes[id]?.label ?? id), { class: "link", click: () => page.select(id) })));
    }

    function worth(node) {
      if (node.loss_without === null || node.loss_without === undefined || !page.model.loss) return null;
      const more = node.loss_without - page.model.loss.found;
      return h("p", { class: "facts" }, `Without it the loss would be ${format.number(node.loss_without)} (${more >= 0 ? "+" : ""}${format.number(more)}).`);
    }

    function sounds(node) {
      const ends = levels.ends(page.model, node);
      if (!ends.length || !page.player) return null;
      const excerpt = page.model.sounds[node.sounds[ends[0]]];
      const whole = excerpt.seconds >= page.model.seconds - 0.1;
      return h("div", { class: "hearing", role: "group", "aria-label": "Hear this node" },
        h("div", { class: "buttons" },
          ends.map((end) => button(capital(levels.endName(end)), { class: "hear", "data-hear": levels.nodeChoice(node.id, end), "aria-pressed": "false", click: () => page.hear(levels.nodeChoice(node.id, end)) })),
          ends.includes("in") && ends.includes("out") ? button("A/B in and out", { class: "compare", click: () => page.compare(levels.nodeChoice(node.id, "in"), levels.nodeChoice(node.id, "out")) }) : null),
        h("p", { class: "hint" }, [
          ends.map((end) => `${levels.endName(end)} ${loudness(page.model.sounds[node.sounds[end]])}`).join(", "),
          whole ? null : `excerpt ${format.time(excerpt.start)} to ${format.time(excerpt.start + excerpt.seconds)}`,
        ].filter(Boolean).join(" · ")));
    }

    const loudness = ({ lufs }) => (lufs === null ? "silent" : `${format.fixed(lufs, 1)} LUFS`);

    function settings(node) {
      if (!node.settings?.length) return null;
      return h("table", { class: "facts-table" }, h("caption", { class: "hidden" }, "Settings of this node"), h("tbody", null, node.settings.map((setting) =>
        h("tr", null, h("th", { scope: "row" }, bdi(setting.name)), h("td", null, bdi(setting.text))))));
    }

    function views(node) {
      return (node.views ?? []).map((what) => {
        const over = timed(page, node, what);
        const drawn = grafx.plot.view(what, { onSeek: over ? (time) => page.seek(time) : null });
        if (over) unfollow.push(page.follow((time) => drawn.playhead(time)));
        return drawn.element;
      });
    }

    function marks() {
      for (const item of body.querySelectorAll("[data-hear]")) item.setAttribute("aria-pressed", String(item.dataset.hear === page.active && page.playing));
    }

    page.on("select", show);
    page.on("heard", marks);
    list();
    show();
    return { update: () => (list(), show()), panel: (id) => (id === page.selected ? panel : null) };
  }

  // Whether the axis of time is the song's: it covers all of it, or the excerpt that is heard of the node.
  function timed(page, node, what) {
    if (what.kind !== "plot" || what.x.unit !== "s" || !page.player) return false;
    const sound = page.model.sounds[node.sounds?.out];
    const covers = (start, seconds) => Math.abs(what.x.low - start) < 0.02 * seconds + 0.05 && Math.abs(what.x.high - start - seconds) < 0.02 * seconds + 0.05;
    return covers(0, page.model.seconds) || (sound ? covers(sound.start, sound.seconds) : false);
  }

  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  grafx.inspector = { create };
})();
