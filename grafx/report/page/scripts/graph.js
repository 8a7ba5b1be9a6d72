// The graph, in the viewer of grafx.draw; a list of its nodes where there is none.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button } = grafx.dom;
  const BESIDE = 2.5; // width by height

  function create(page) {
    const place = document.getElementById("graph-view");
    const view = viewer(place, page.model.picture, page);
    const { width, height } = page.model.picture ?? {};
    place.parentElement.classList.toggle("beside", width < BESIDE * height); // a tall drawing leaves room at its side
    let playing = null;

    function mark(id) {
      if (playing !== null && page.model.nodes[playing]) view.mark(playing, { playing: false });
      playing = id;
      if (playing !== null) view.mark(playing, { playing: true });
    }

    page.on("select", (id) => view.select(id));
    page.on("heard", () => {
      const [, id] = /^node:([^:]*):/.exec(page.playing ? page.active : "") ?? [];
      mark(id === undefined ? null : Number(id));
    });
    return { view, update: () => (view.update(page.model.picture), view.select(page.selected)) };
  }

  function viewer(place, picture, page) {
    if (!picture?.nodes?.length) {
      place.replaceChildren(h("p", { class: "empty" }, "The graph has no nodes."));
    } else if (grafx.viewer) {
      return grafx.viewer.create(place, picture, { onSelect: (id) => page.select(id), onEdge: (edge) => page.emit("edge", edge) });
    }
    return list(place, picture, page);
  }

  function list(place, picture, page) {
    const items = new Map();
    const element = h("ul", { class: "node-list" });
    function update(next) {
      items.clear();
      for (const node of next?.nodes ?? []) {
        const label = page.model.nodes[node.id]?.label ?? node.type;
        items.set(node.id, button(bdi(label), { class: "quiet", "data-node": node.id, click: () => page.select(node.id) }));
      }
      element.replaceChildren(...[...items.values()].map((item) => h("li", null, item)));
    }
    update(picture);
    if (picture?.nodes?.length) place.replaceChildren(element);
    const each = (fn) => items.forEach(fn);
    return {
      update,
      select: (id) => each((item, key) => item.setAttribute("aria-pressed", key === id)),
      mark: (id, marks) => Object.entries(marks).forEach(([name, on]) => items.get(id)?.classList.toggle(name, on)),
      clearMarks: () => each((item) => item.classList.remove("removed", "dimmed", "playing", "changed")),
      fit() {},
      find() {},
      svg: () => "",
      element,
    };
  }

  grafx.graph = { create, viewer };
})();
