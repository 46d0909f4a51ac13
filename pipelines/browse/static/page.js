// What JavaScript adds to pages that can be read without it: keys, the theme, forms that send themselves.

const all = (what) => [...document.querySelectorAll(what)];
const one = (what) => document.querySelector(what);

// --- Theme

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function tellTheme() {
  const button = one("#theme");
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", isDark() ? "Change to the light theme" : "Change to the dark theme");
  button.hidden = false;
}

function changeTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  } catch {
    // Storage may be forbidden: then the choice holds for this page.
  }
  tellTheme();
}

// --- Keys

const items = () => all("[data-item]").filter((each) => each.checkVisibility());

function move(by) {
  const list = items();
  if (!list.length) return;
  const now = list.findIndex((each) => each.classList.contains("here"));
  const next = now < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, now + by));
  list.forEach((each, place) => each.classList.toggle("here", place === next));
  const inner = list[next].matches("a, summary") ? list[next] : list[next].querySelector("a, summary");
  inner?.focus({ preventScroll: true });
  list[next].scrollIntoView({ block: "nearest" });
}

function follow(what) {
  const link = one(what);
  if (link) link.click();
  return Boolean(link);
}

function unfold() {
  const folded = all("main details.attempt, main details.fold");
  const open = folded.some((each) => !each.open);
  folded.forEach((each) => (each.open = open));
}

function back() {
  const open = one("details.choose[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  } else if (document.activeElement?.matches("input, textarea, select")) document.activeElement.blur();
  else follow("[data-key=up]");
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => items().length && move(1),
  ArrowUp: () => items().length && move(-1),
  n: () => follow("[data-key=next]"),
  p: () => follow("[data-key=previous]"),
  ArrowRight: () => follow("[data-key=next]"),
  ArrowLeft: () => follow("[data-key=previous]"),
  w: () => follow("[data-key=written]"),
  o: unfold,
  m: () => one(".mark input[type=radio]")?.focus(),
  "/": () => one("input[type=search]")?.focus(),
  "?": () => one("#help").showModal(),
};

const ARROWS_ONLY_IN_LISTS = ["ArrowDown", "ArrowUp"];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape" && !one("dialog[open]")) return back();
  if (event.target.closest("input, textarea, select, dialog")) return;
  if (ARROWS_ONLY_IN_LISTS.includes(event.key) && !one("main[data-list]")) return;
  const act = Object.hasOwn(KEYS, event.key) && KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// --- Clicks and forms

document.addEventListener("click", (event) => {
  if (event.target.closest("#theme")) changeTheme();
  else if (event.target.closest("#keys")) one("#help").showModal();
  else if (event.target.closest("#stop")) window.stop();
  else if (event.target.closest("#unfold")) unfold();
  const row = event.target.closest("tr[data-item]");
  if (row && !event.target.closest("a") && !getSelection().toString()) row.querySelector("a.to")?.click();
  all("details.choose[open]").forEach((each) => {
    if (!each.contains(event.target)) each.open = false;
  });
});

document.addEventListener("submit", (event) => {
  // Empty fields stay out of the address.
  if (event.target.method !== "get") return;
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});

window.addEventListener("pageshow", () => {
  for (const field of all("form :disabled")) field.disabled = false;
});

// A verdict or attempt that an address points at is opened, so that it can be seen.
function openTarget() {
  const aim = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  for (let each = aim || null; each; each = each.parentElement) if (each.localName === "details") each.open = true;
  if (aim) aim.scrollIntoView({ block: "start" });
}

// What is still being read is looked at again once it is there.
async function awaitProgress(told) {
  const reply = await fetch(told.dataset.progress);
  if (!reply.ok) return;
  const { progress } = await reply.json();
  const share = told.querySelector("[data-share]");
  if (share) share.textContent = `${(100 * progress).toFixed(1)}%`;
  if (progress >= 1 && one(".rows")) told.textContent = "Everything is read now: open the page again for all of it.";
  else if (progress >= 1) location.reload();
  else setTimeout(() => awaitProgress(told), 500);
}

function begin() {
  tellTheme();
  for (const each of all("[data-script]")) each.hidden = false;
  openTarget();
  const told = one("[data-progress]");
  if (told) awaitProgress(told);
}

window.addEventListener("hashchange", openTarget);
if (document.readyState === "loading" && !one("#theme")) document.addEventListener("DOMContentLoaded", begin);
else begin();
