// What a script adds to the Service Center. Every page works without it; elements say by data- attributes what they want:
//   data-filter="ID"    a field in it hides the rows of table ID that do not contain what is typed
//   data-drop="ID"      files dropped on it are put into the file field ID
//   data-copy="ID"      a button that copies the text of element ID
//   data-countdown="T"  text that tells how long it is until instant T
//   data-live           an element with an id, shown anew when the server says that something has changed

const TICK = 1000;
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function filter(box) {
  const field = box.querySelector("input");
  const told = box.querySelector("[role=status]");
  const apply = () => {
    const table = document.getElementById(box.dataset.filter);
    if (!table) return;
    const wanted = field.value.trim().toLocaleLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.textContent.toLocaleLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    if (told) told.textContent = wanted ? `${shown} of ${table.tBodies[0].rows.length} shown` : "";
  };
  box.hidden = false;
  field.addEventListener("input", apply);
  document.addEventListener("placet:shown", apply);
}

function drop(area) {
  const field = document.getElementById(area.dataset.drop);
  if (!field) return;
  let depth = 0;
  const mark = change => area.classList.toggle("dropping", (depth = Math.max(0, depth + change)) > 0);
  const carriesFiles = event => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  area.addEventListener("dragenter", event => carriesFiles(event) && mark(1));
  area.addEventListener("dragleave", event => carriesFiles(event) && mark(-1));
  area.addEventListener("dragover", event => carriesFiles(event) && event.preventDefault());
  area.addEventListener("drop", event => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark(0);
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
    field.focus();
  });
}

function copy(button) {
  if (!navigator.clipboard) return; // browsers keep it from pages that came without TLS
  const said = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = said; }, 2000);
  });
}

function distance(seconds) {
  const parts = [];
  let left = Math.abs(Math.round(seconds));
  for (const [name, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) parts.push(`${count} ${name}${count === 1 ? "" : "s"}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return `${parts.join(", ") || "0 seconds"} ${seconds >= 0 ? "left" : "ago"}`;
}

// The server's clock counts, not the reader's.
const ahead = Date.now() - (Date.parse(document.querySelector("main").dataset.now) || Date.now());

function countDown() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const until = Date.parse(element.dataset.countdown);
    const text = Number.isNaN(until) ? element.textContent : distance((until + ahead - Date.now()) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
}

// The page is asked for again, and its live elements take the place of those shown; what is open stays open, and where
// somebody is typing nothing moves.
async function showAnew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(old.id);
    if (!next || old.isEqualNode(next) || old.contains(document.activeElement)) continue;
    for (const open of old.querySelectorAll("details[open][id]")) {
      fresh.getElementById(open.id)?.setAttribute("open", "");
    }
    old.replaceWith(next);
    enhance(next);
  }
  countDown();
  document.dispatchEvent(new Event("placet:shown"));
}

// A page that nobody sees follows nothing: browsers keep few connections to one server.
function live() {
  if (!document.querySelector("[data-live][id]")) return;
  let source = null;
  let busy = false;
  let again = false;
  const changed = async () => {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      await showAnew().catch(() => {}); // the server is away, or the session has ended: what is shown stays
    }
    busy = false;
  };
  const follow = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      source = new EventSource("/service-center/live");
      source.addEventListener("changed", changed);
    }
  };
  document.addEventListener("visibilitychange", () => {
    follow();
    if (!document.hidden) changed();
  });
  follow();
}

function enhance(root) {
  for (const [name, add] of [["filter", filter], ["drop", drop], ["copy", copy]]) {
    root.querySelectorAll(`[data-${name}]`).forEach(add);
  }
}

enhance(document);
countDown();
setInterval(countDown, TICK);
live();
