// The rounds of the pruning: what was left of the console after each, and the loss.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button } = grafx.dom;
  const { format } = grafx;

  function create(page) {
    const place = document.querySelector("#story .part-body");
    const { story } = page.model;
    if (!place || !story?.rounds?.length) return { update() {} };
    const { rounds } = story;
    const chosen = Math.max(0, rounds.findIndex((round) => round.chosen));
    const slider = h("input", { type: "range", id: "round", min: 0, max: rounds.length - 1, step: 1, value: chosen, input: () => show(Number(slider.value)) });
    const facts = h("output", { class: "story-facts", for: "round" });
    const removed = h("p", { class: "hint" });
    const step = (by) => () => show(Math.min(rounds.length - 1, Math.max(0, Number(slider.value) + by)));
    const picture = h("div", { class: "story-view" });
    const curves = [course(rounds, story.plain_loss, (i) => show(i)), counts(rounds, (i) => show(i))];
    place.replaceChildren(
      h("div", { class: "story-slider" },
        h("label", { for: "round" }, "Round"),
        button("←", { class: "quiet", "aria-label": "Earlier round", click: step(-1) }), slider, button("→", { class: "quiet", "aria-label": "Later round", click: step(1) }), facts),
      removed, picture, h("div", { class: "plots" }, curves.map(({ element }) => element)));
    const names = new Map((story.picture?.nodes ?? []).map((node) => [node.id, node.name || [node.type, node.group].filter(Boolean).join(" on ")]));
    // Nodes of the console have ids of their own, which those that are left remember.
    const left = new Map(Object.values(page.model.nodes).map((node) => [node.console_id ?? node.id, node.id]));
    const select = (id) => left.has(id) && page.select(left.get(id), true);
    const view = story.picture ? grafx.graph.viewer(picture, story.picture, { model: { nodes: {} }, select, emit() {} }) : null;
    let shown = new Set();

    function show(i) {
      const round = rounds[i];
      slider.value = i;
      slider.setAttribute("aria-valuetext", `round ${round.round}, ${round.processors} processors, loss ${format.number(round.loss)}`);
      facts.replaceChildren(h("b", null, `${round.processors} processors`), ` · loss ${format.number(round.loss)} · step ${round.step}`, round.chosen ? h("span", { class: "tag" }, "chosen") : "");
      const names_ = round.removed.map((id) => names.get(id) ?? `node ${id}`);
      removed.replaceChildren(...(names_.length ? ["Removed in this round: ", ...names_.flatMap((name, k) => [k ? ", " : "", bdi(name)])] : ["Nothing was removed in this round."]));
      const now = gone(rounds, i);
      for (const id of new Set([...shown, ...now])) if (names.has(id) && shown.has(id) !== now.has(id)) view?.mark(id, { removed: now.has(id) });
      shown = now;
      curves.forEach((curve) => curve.mark(i));
    }
    show(chosen);
    return { update() {}, show };
  }

  // What is missing after a round, of all that any round had; a round may have gone back to more than the one before.
  function gone(rounds, i) {
    if (!rounds[i].left) return new Set(rounds.slice(0, i + 1).flatMap(({ removed }) => removed));
    const all = new Set(rounds.flatMap(({ removed, left }) => [...removed, ...(left ?? [])]));
    return new Set([...all].filter((id) => !rounds[i].left.includes(id)));
  }

  const axis = (rounds) => ({ label: "Round", unit: "", scale: "linear", whole: true, low: 0, high: Math.max(1, rounds.length - 1) });

  function course(rounds, plain, pick) {
    const x = rounds.map((_, i) => i);
    const series = [{ label: "console", x, y: rounds.map(({ loss }) => loss), style: "line" }];
    if (plain !== null && plain !== undefined) series.push({ label: "plain sum", x: [0, Math.max(1, rounds.length - 1)], y: [plain, plain], style: "line" });
    const values = series.flatMap(({ y }) => y).filter((v) => v !== null);
    const y = { label: "Loss", unit: "", scale: "linear", low: Math.min(0, ...values), high: Math.max(...values, 1e-9) * 1.05 };
    return grafx.plot.plot({ kind: "plot", title: "Loss", x: axis(rounds), y, series }, { height: 150, onSeek: (v) => pick(Math.round(v)) });
  }

  function counts(rounds, pick) {
    const y = rounds.map(({ processors }) => processors);
    return grafx.plot.plot({ kind: "plot", title: "Processors left", x: axis(rounds), y: { label: "Processors", unit: "", scale: "linear", whole: true, low: 0, high: Math.max(1, ...y) * 1.05 }, series: [{ label: "left", x: y.map((_, i) => i), y, style: "area" }] }, { height: 150, onSeek: (v) => pick(Math.round(v)) });
  }

  grafx.story = { create };
})();
