// Light or dark: as the system has it, until somebody says otherwise.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // A page from a file may have no storage.
  const stored = (write) => {
    try {
      return write === undefined ? localStorage.getItem("grafx-theme") : localStorage.setItem("grafx-theme", write);
    } catch {
      return null;
    }
  };

  function create() {
    const control = document.getElementById("theme");
    const root = document.documentElement;
    const known = stored();
    if (known === "light" || known === "dark") root.dataset.theme = known;
    const now = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
    const show = () => {
      const other = now() === "dark" ? "light" : "dark";
      control.textContent = `◐ ${other === "dark" ? "Dark" : "Light"}`;
      control.setAttribute("aria-label", `Show in ${other} colours`);
    };
    control.addEventListener("click", () => {
      root.dataset.theme = now() === "dark" ? "light" : "dark";
      stored(root.dataset.theme);
      show();
    });
    dark.addEventListener("change", show);
    show();
  }

  grafx.theme = { create };
})();
