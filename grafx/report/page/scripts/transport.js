// The bar at the foot: play, where we are, what A and B are, which of them is heard.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, s, button, printable } = grafx.dom;
  const { format, levels } = grafx;
  const SHAPES = { play: "M4 2.5L13.5 8L4 13.5Z", pause: "M4 2.5H7V13.5H4ZM9.5 2.5H12.5V13.5H9.5Z" };

  function create(page) {
    const place = document.getElementById("transport");
    if (!place || !page.player) {
      place?.remove();
      return { update() {} };
    }
    const shape = s("path", {});
    const play = button(s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, shape), { id: "play", class: "play", click: () => page.toggle() });
    const clock = h("span", { class: "clock", id: "clock" });
    const wave = grafx.wave.create(page, { thin: true, label: "Position" });
    const sides = ["a", "b"].map((side) => ({
      side,
      button: button(side.toUpperCase(), { class: "side", id: `side-${side}`, "aria-pressed": "false", click: () => page.switchTo(side) }),
      select: h("select", { id: `choose-${side}`, "aria-label": `Sound ${side.toUpperCase()}`, change: (event) => page.put(side, event.target.value) }),
      level: h("span", { class: "level", id: `level-${side}` }),
    }));
    const match = h("input", { type: "checkbox", id: "match", checked: true, change: () => page.setMatch(match.checked) });
    const loop = h("input", { type: "checkbox", id: "loop", change: () => page.setLoop(loop.checked ? (page.region ?? { start: 0, end: null }) : null, true) });
    place.replaceChildren(
      h("div", { class: "transport-time" }, play, clock, wave.element),
      h("div", { class: "transport-sides" },
        h("div", { class: "sides", role: "group", "aria-label": "Compare" }, sides.map((one) => h("div", { class: "side-group" }, one.button, one.select, one.level))),
        h("label", { class: "check", title: "Play A and B at one loudness (ITU-R BS.1770)" }, match, "Match loudness"),
        h("label", { class: "check" }, loop, "Loop")));

    function options() {
      const { model } = page;
      const group = (label, ids) => (ids.length ? [h("optgroup", { label }, ids.map((id) => h("option", { value: id }, printable(page.choice(id).label))))] : []);
      const known = [...levels.tracks(model).map(({ id }) => id), ...(levels.stems(model).length ? ["stems"] : [])];
      const node = model.nodes[page.selected];
      const own = node ? levels.ends(model, node).map((end) => levels.nodeChoice(node.id, end)) : [];
      for (const { side, select } of sides) {
        const kept = page.slots[side];
        const other = kept && !known.includes(kept) && !own.includes(kept) && page.choice(kept) ? [kept] : [];
        select.replaceChildren(...group("Song", known), ...group("Chosen node", own), ...group("Earlier", other));
        select.value = kept ?? "";
      }
    }

    function marks() {
      shape.setAttribute("d", SHAPES[page.playing ? "pause" : "play"]);
      play.setAttribute("aria-label", page.playing ? "Pause" : "Play");
      place.classList.toggle("waiting", page.waiting);
      play.setAttribute("aria-busy", String(page.waiting));
      const gains = page.gains();
      sides.forEach(({ side, button: item, level }) => {
        item.setAttribute("aria-pressed", String(page.side === side));
        level.textContent = gains[side] === null ? "" : `${format.signed(format.decibel(gains[side]))} dB`;
      });
      const heard = page.choice(page.active);
      wave.show(heard ? page.model.sounds[heard.keys.length === 1 ? heard.keys[0] : page.model.tracks.mix] : null);
      wave.label(`Position in ${heard?.label ?? "the song"}`);
    }

    page.follow((time) => {
      wave.follow(time);
      clock.textContent = `${format.time(time)} / ${format.time(page.model.seconds)}`;
    });
    page.on("loop", () => {
      wave.loop(page.loop);
      loop.checked = page.loop !== null;
    });
    page.on("heard", () => (options(), marks()));
    page.on("select", options);
    options();
    marks();
    return { update: () => (options(), marks()) };
  }

  grafx.transport = { create };
})();
