// Small behaviours of every page. Each works on what is in the document at the time, so swapped-in rows need no set-up.
"use strict";

// The theme menu.
function markTheme() {
  for (const button of document.querySelectorAll("[data-theme-value]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeValue === window.portalTheme.choice()));
  }
}

// Menus are <details>: they close on Escape, on a click elsewhere, and when another opens.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = "value" in source ? source.value : source.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers give the clipboard to https pages only: select the text, so that Ctrl+C works.
    const range = document.createRange();
    range.selectNodeContents(source);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    if ("select" in source) source.select();
    announce(document.body.dataset.copyByHand);
    return;
  }
  announce(document.body.dataset.copied);
  button.classList.add("is-done");
  setTimeout(() => button.classList.remove("is-done"), 2000);
}

function announce(text, milliseconds = 4000, isQuiet = false) {
  const region = document.getElementById("announcer");
  region.classList.toggle("visually-hidden", isQuiet);
  region.textContent = text;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => (region.textContent = ""), milliseconds);
}

// A dialog begins with what changes nothing yet: its field, or the way back; Enter alone does no harm.
function ask(dialog) {
  dialog.showModal();
  dialog.querySelector("select, [data-close]").focus();
}

document.addEventListener("click", (event) => {
  const target = event.target;
  closeMenus(target.closest("details.menu"));
  const theme = target.closest("[data-theme-value]");
  if (theme) {
    window.portalTheme.choose(theme.dataset.themeValue);
    markTheme();
  }
  const opener = target.closest("[data-dialog]");
  if (opener) ask(document.getElementById(opener.dataset.dialog));
  if (target.closest("[data-close]")) target.closest("dialog").close();
  const copier = target.closest("[data-copy]");
  if (copier) copy(copier);
  const dismiss = target.closest("[data-dismiss]");
  if (dismiss) dismiss.closest(".notice").remove();
  const discloser = target.closest("[data-discloses]");
  if (discloser) discloser.setAttribute("aria-expanded", String(discloser.getAttribute("aria-expanded") !== "true"));
  const nav = target.closest("[data-nav-toggle]");
  if (nav) {
    const open = document.body.classList.toggle("nav-open");
    nav.setAttribute("aria-expanded", String(open));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// What was typed into a form outlives a session that ended: kept in this tab only, without secrets, for the same person.
const DRAFT = "draft";
const DRAFT_LENGTH = 50000;
const SECRET = "[type=hidden]:not([name=opened]), [type=password], [type=file], [type=submit], [autocomplete=off], [autocomplete=one-time-code]";

function typedFields(form) {
  return [...form.elements].filter((field) => field.name && field.matches("input, select, textarea") && !field.matches(SECRET));
}

function valueOf(field) {
  return ["checkbox", "radio"].includes(field.type) ? field.checked : field.value;
}

function isTyped(field) {
  if (field.matches("select")) return [...field.options].some((option) => option.defaultSelected && !option.selected);
  return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
}

function findTyped() {
  return [...document.forms].find((form) => form.method === "post" && typedFields(form).some(isTyped));
}

function keepDraft(form, lost = false) {
  const { reader } = document.body.dataset;
  if (!reader) return; // at the log-in, what was kept stays
  const values = typedFields(form).map((field) => [field.name, valueOf(field)]);
  const text = JSON.stringify({ reader, page: location.pathname + location.search, form: [...document.forms].indexOf(form), values, lost });
  try {
    sessionStorage.removeItem(DRAFT);
    if (values.length && text.length <= DRAFT_LENGTH) sessionStorage.setItem(DRAFT, text);
  } catch {
    // Storage is closed to this page: nothing is kept.
  }
}

function takeDraft() {
  try {
    const draft = JSON.parse(sessionStorage.getItem(DRAFT) || "null");
    if (!draft) return null;
    if (document.querySelector("[data-keeps-draft]")) {
      sessionStorage.setItem(DRAFT, JSON.stringify({ ...draft, lost: true }));
      return null;
    }
    sessionStorage.removeItem(DRAFT);
    return draft.lost && draft.reader === document.body.dataset.reader ? draft : null;
  } catch {
    return null;
  }
}

function putBackDraft() {
  const draft = takeDraft();
  const form = draft && draft.page === location.pathname + location.search && document.forms[draft.form];
  const fields = form ? typedFields(form) : [];
  if (!fields.length || fields.length !== draft.values.length) return;
  fields.forEach((field, place) => {
    const [name, value] = draft.values[place];
    if (field.name !== name) return;
    if (typeof value === "boolean") field.checked = value;
    else field.value = value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  fields.find((field) => field.type !== "hidden").focus();
  announce(document.body.dataset.putBack, 10000);
}

// A file that is too large is not sent at all.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (!field.matches("[data-max-bytes]")) return;
  const isLarge = [...field.files].some((file) => file.size > Number(field.dataset.maxBytes));
  field.setCustomValidity(isLarge ? field.dataset.tooLarge : "");
  field.reportValidity();
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const typed = form.matches("[data-leaves-typed]") && findTyped(); // another language: the page comes back in it
  keepDraft(typed || form, Boolean(typed));
  if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
});
// Back to a page the browser kept: its forms may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[type=submit][aria-busy]")) button.removeAttribute("aria-busy");
});

// What htmx did not get is said in the reader's language: as the portal's own error page does, or that nobody answered.
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, ({ detail }) => {
    const page = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
    const title = page.querySelector(".error-card h1");
    announce(title ? title.textContent : document.body.dataset.unreachable);
  });
}

// "há 3 minutos" stays true while the page is open.
function tellTimes() {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const distance = (new Date(time.dateTime) - Date.now()) / 1000;
    const seconds = time.dataset.relative === "next" ? Math.max(distance, 0) : distance;
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) || ["second", 1];
    if (Math.abs(seconds) < 30 * 86400) time.textContent = format.format(Math.round(seconds / size), unit);
  }
}

// What becomes of what one waits for is read out once the page has renewed itself: its heading alone would be silent.
const whatIsSaid = () => document.querySelector("[data-says]")?.textContent.trim();
let said = whatIsSaid();
document.addEventListener("htmx:afterSettle", () => {
  const now = whatIsSaid();
  if (now && now !== said) announce(now, 10000, true);
  said = now;
});

// Ticked rows are counted, and what to do with them shows while there are any.
function countPicked() {
  const bar = document.getElementById("marcados");
  if (!bar) return;
  const picks = [...document.querySelectorAll("[data-pick]")];
  const count = picks.filter((pick) => pick.checked).length;
  bar.hidden = count === 0;
  bar.querySelector("[data-picked]").textContent = count === 1 ? bar.dataset.one : bar.dataset.many.replace("{n}", count);
  const all = document.querySelector("[data-pick-all]");
  all.checked = count > 0 && count === picks.length;
  all.indeterminate = count > 0 && count < picks.length;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-all]")) {
    for (const pick of document.querySelectorAll("[data-pick]")) pick.checked = event.target.checked;
  }
  if (event.target.matches("[data-pick], [data-pick-all]")) countPicked();
});
document.addEventListener("htmx:afterSettle", countPicked);

// What becomes of what waits is asked once it matters: the URL in the field is another, or leads to another CRM.
function askOfWaiting() {
  const part = document.querySelector("[data-asked-unless]");
  if (!part) return;
  const { url, other_crm: other } = part.form.elements;
  part.hidden = url.value.trim() === part.dataset.askedUnless && !other?.checked;
}
document.addEventListener("change", askOfWaiting);
document.addEventListener("input", askOfWaiting);
window.addEventListener("pageshow", askOfWaiting);

// What can be undone is offered for its time.
function endOffer() {
  const offer = document.querySelector("[data-expires]");
  if (offer) setTimeout(() => offer.remove(), Number(offer.dataset.expires));
}
document.addEventListener("htmx:oobAfterSwap", endOffer);

window.addEventListener("pageshow", countPicked);

// The way back leads to the list as it was left in this tab, and to the row.
function keepPlace() {
  const name = (path) => "list " + path;
  try {
    if (document.querySelector("[data-list]")) sessionStorage.setItem(name(location.pathname), location.pathname + location.search);
    for (const link of document.querySelectorAll(".page-back[data-row-id]")) {
      const kept = sessionStorage.getItem(name(link.pathname));
      if (kept && (!link.search || link.search === new URL(kept, location).search)) link.href = kept;
      link.hash = link.dataset.rowId;
    }
  } catch {
    // Storage is closed to this page: the way back leads to the list's beginning.
  }
}

// What has to be mended comes first.
document.querySelector("main [aria-invalid=true]")?.focus();
// What was said of the last act is read, and the keys go on from there; a field that the page begins with goes before.
const isFree = document.activeElement === document.body && !location.hash && !document.querySelector("[autofocus]");
if (isFree) document.querySelector(".flashes .notice")?.parentElement.focus();
keepPlace();
askOfWaiting();
// On a phone the tab that is open may be out of sight.
document.querySelector(".tabs .is-here")?.scrollIntoView({ block: "nearest", inline: "center" });
// Back to a row: the keys go on from there.
if (/^#(contato|entrega)-/.test(location.hash)) document.getElementById(location.hash.slice(1))?.focus();
endOffer();
putBackDraft();
markTheme();
setInterval(tellTimes, 30000);
