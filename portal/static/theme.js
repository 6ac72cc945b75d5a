// Loaded in the head, before any style: the page is painted in the reader's theme at once.
"use strict";
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try {
      return localStorage.getItem("theme") || "system";
    } catch {
      return "system"; // Storage is closed to this page: follow the system.
    }
  }

  function paint() {
    const chosen = choice();
    root.setAttribute("data-bs-theme", chosen === "system" ? (dark.matches ? "dark" : "light") : chosen);
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
  dark.addEventListener("change", paint);
  paint();
})();
