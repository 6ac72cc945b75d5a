// The keyboard: j and k move between rows and pages, 1, 2, 3 and 0 classify, u undoes, x ticks, / searches, ? shows all.
// Each key works on what is in the document at the time, so swapped-in rows need no set-up.
"use strict";
(function () {
  // Boxes to tick hold no text: there the keys stay keys.
  const TYPING = "input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]";
  const FIRST = "#primeira-linha", LAST = "#ultima-linha";
  let isLeaving = false; // to another page: until its row has the focus, nothing is classified

  function focusedRow() {
    return document.activeElement.closest("[data-row]");
  }

  function visibleRows() {
    return [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
  }

  function focus(row) {
    row.querySelector("th a, a").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  // From nowhere, both ways lead to the first row that is in sight; past an end, to the page that comes there.
  function move(step) {
    if (isLeaving) return;
    const rows = visibleRows();
    const here = rows.indexOf(focusedRow());
    const first = rows.findIndex((row) => row.getBoundingClientRect().top >= 0);
    const row = rows[here < 0 ? Math.max(first, 0) : here + step];
    if (row) return focus(row);
    const page = document.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]");
    if (!page) return;
    isLeaving = true;
    leave(page.href + (step > 0 ? FIRST : LAST));
  }

  // What was classified a moment ago is saved first: a browser drops what it has not sent when the page goes.
  function leave(address) {
    if (document.querySelector("form.htmx-request")) setTimeout(leave, 50, address);
    else location.assign(address);
  }

  function arrive() {
    isLeaving = false;
    if (![FIRST, LAST].includes(location.hash)) return;
    const row = visibleRows().at(location.hash === FIRST ? 0 : -1);
    history.replaceState(history.state, "", location.pathname + location.search);
    if (row) focus(row);
  }

  // What can be pressed where the focus is: in its row; on a contact's own page, of the contact, and in the page's head.
  function press(selector) {
    const part = document.activeElement.closest("[data-keys]") || document.querySelector("[data-keys]:not([data-row])");
    const button = !isLeaving && (part?.querySelector(selector) || document.querySelector(".page-head " + selector));
    if (button) button.click();
    return Boolean(button);
  }

  function tick() {
    const box = focusedRow()?.querySelector("[data-pick]");
    if (!box || isLeaving) return false;
    box.click();
    announce(box.ariaLabel + ": " + document.body.dataset[box.checked ? "ticked" : "unticked"]);
  }

  function undo() {
    const button = document.querySelector("[data-undo]");
    if (button && !isLeaving) button.click();
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
    x: tick,
    u: undo,
    l: () => press("[data-profile]"),
    c: () => press("[data-crm]"),
    "/": search,
    "?": () => document.getElementById("teclas").showModal(),
    1: () => press("[data-key='1']"),
    2: () => press("[data-key='2']"),
    3: () => press("[data-key='3']"),
    0: () => press("[data-key='0']"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && !"jk".includes(event.key)) return;
    if (event.target.matches(TYPING) || document.querySelector("dialog[open]")) return;
    const action = Object.hasOwn(actions, event.key) && actions[event.key];
    if (action && action() !== false) event.preventDefault();
  });
  window.addEventListener("pageshow", arrive);
})();
