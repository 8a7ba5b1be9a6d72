// What pages do besides being read: one player at a time, equations that fit, a filter of the list of processors.

document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) {
    if (player !== event.target) player.pause();
  }
}, true);

// An equation that cannot be broken into lines gets smaller, where there is too little room.
window.addEventListener("load", () => window.MathJax?.startup?.promise.then(() => {
  const fit = () => {
    for (const box of document.querySelectorAll("div.math")) {
      box.style.fontSize = "";
      // Not all of its parts shrink alike, so once may not be enough.
      for (let size = 100, tries = 0; tries < 4 && size > 60 && box.scrollWidth > box.clientWidth; tries++) {
        size = Math.max(60, Math.floor((0.98 * size * box.clientWidth) / box.scrollWidth));
        box.style.fontSize = `${size}%`;
      }
    }
  };
  fit();
  window.addEventListener("resize", fit);
}));

const field = document.getElementById("filter");
if (field) {
  const cards = [...document.querySelectorAll(".card")];
  const said = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));
  const count = document.querySelector(".filter-count");

  // A card stays if each word begins one of its words.
  const show = () => {
    const words = field.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const text = ` ${said.get(card).replace(/[\s(/]+/g, " ")}`;
      card.hidden = !words.every((word) => text.includes(` ${word}`) || text.includes(`-${word}`));
      shown += !card.hidden;
    }
    for (const family of document.querySelectorAll(".cards")) {
      family.closest("section").hidden = ![...family.querySelectorAll(".card")].some((card) => !card.hidden);
    }
    count.textContent = words.length ? `${shown} of ${cards.length}` : `${cards.length} processors`;
  };
  const asked = new URLSearchParams(location.search).get("find");
  if (asked) field.value = asked;
  field.addEventListener("input", show);
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = cards.find((card) => !card.hidden);
    if (first) location.href = first.querySelector("a").href;
  });
  show();

  // All processors used to be on one page.
  const former = location.hash.match(/^#grafx\.processors\.(\w+)/);
  if (former && cards.some((card) => card.querySelector(`a[href*="processors/${former[1]}.html"]`))) {
    location.replace(`processors/${former[1]}.html${location.hash}`);
  }
}
