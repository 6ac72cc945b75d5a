// Loaded in the head, before any style: the page is painted in the reader's theme at once.
"use strict";
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paper = window.matchMedia("print"); // has no dark ground, so no light words

  function choice() {
    try {
      return localStorage.getItem("theme") || "system";
    } catch {
      return "system"; // Storage is closed to this page: follow the system.
    }
  }

  function paint() {
    const chosen = choice();
    const theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
    root.setAttribute("data-bs-theme", paper.matches ? "light" : theme);
  }

  window.portalTheme = {
    choice,
    choose(value) {
      try {
        localStorage.setItem("theme", value);
      } catch {
        // Nothing to keep it in; it holds for this page only.
      }
      paint();
    },
  };
  root.classList.add("js");
  for (const each of [dark, paper]) each.addEventListener("change", paint);
  paint();
})();
