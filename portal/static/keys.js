// The keyboard: j and k move between rows, 1, 2, 3 and 0 classify, / searches, ? shows the keys.
// Each key works on what is in the document at the time, so swapped-in rows need no set-up.
"use strict";
(function () {
  // Boxes to tick hold no text: there the keys stay keys.
  const TYPING = "input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]";

  function focusedRow() {
    return document.activeElement.closest("[data-row]");
  }

  function visibleRows() {
    return [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
  }

  // From nowhere, both ways lead to the first row that is in sight.
  function move(step) {
    const rows = visibleRows();
    const here = rows.indexOf(focusedRow());
    const first = rows.findIndex((row) => row.getBoundingClientRect().top >= 0);
    const row = rows[here < 0 ? Math.max(first, 0) : here + step];
    if (!row) return;
    row.querySelector("th a, a").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  // The buttons of the row that has the focus; on a contact's own page, of the contact.
  function classify(key) {
    const part = document.activeElement.closest("[data-keys]") || document.querySelector("[data-keys]:not([data-row])");
    const button = part && part.querySelector(`[data-key="${key}"]`);
    if (button) button.click();
    return Boolean(button);
  }

  function search() {
    const field = document.querySelector("main [type=search]");
    if (field) field.select();
    return Boolean(field);
  }

  const actions = {
    j: () => move(1),
    k: () => move(-1),
    "/": search,
    "?": () => document.getElementById("teclas").showModal(),
    1: () => classify("1"),
    2: () => classify("2"),
    3: () => classify("3"),
    0: () => classify("0"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && !"jk".includes(event.key)) return;
    if (event.target.matches(TYPING) || document.querySelector("dialog[open]")) return;
    const action = Object.hasOwn(actions, event.key) && actions[event.key];
    if (action && action() !== false) event.preventDefault();
  });
})();
