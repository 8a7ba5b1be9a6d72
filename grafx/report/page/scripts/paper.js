// On paper nothing can be chosen, so that the curves of all nodes are printed.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi } = grafx.dom;
  const WIDTH = 320; // of a curve, in pixels of the page

  function create(page) {
    const place = document.getElementById("paper");
    addEventListener("beforeprint", () => {
      const nodes = Object.values(page.model.nodes).filter((node) => node.views?.length);
      place.replaceChildren(...(nodes.length ? [h("h2", null, "Curves of all nodes")] : []), ...nodes.map((node) => h("section", { class: "paper-node" }, h("h3", null, bdi(node.label), h("small", null, ` node ${node.id}`)), h("div", { class: "paper-plots" }, node.views.map(drawn)))));
    });
    addEventListener("afterprint", () => place.replaceChildren());
  }

  function drawn(what) {
    const made = grafx.plot.view(what, { height: 150 });
    made.draw?.(WIDTH);
    return made.element;
  }

  grafx.paper = { create };
})();
