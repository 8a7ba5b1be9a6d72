// What was found for each owner, beside what is known to be true.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi } = grafx.dom;

  function create(page) {
    const place = document.querySelector("#chains .part-body");
    const build = () => {
      const { chains, truth } = page.model;
      const owners = [...new Set([...Object.keys(chains ?? {}), ...Object.keys(truth ?? {})])];
      const list = (texts) => (texts?.length ? h("ol", { class: "chain" }, texts.map((text) => h("li", null, bdi(text)))) : h("span", { class: "empty" }, texts ? "nothing" : "not known"));
      place.replaceChildren(h("div", { class: "wide" }, h("table", { class: "chain-table" },
        h("thead", null, h("tr", null, ["Owner", "Found", ...(truth ? ["True"] : [])].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", null, owners.map((owner) => h("tr", null, h("th", { scope: "row" }, bdi(owner)), h("td", { "data-label": "Found" }, list(chains?.[owner])), truth ? h("td", { "data-label": "True" }, list(truth[owner])) : null))))));
    };
    if (place) build();
    return { update: place ? build : () => {} };
  }

  grafx.chains = { create };
})();
