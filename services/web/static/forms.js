// Sends forms without leaving the page, and says how it went; without a script the same forms work with page loads.
import { focusAfterReload, focusOn } from "./focus.js";
import { refresh } from "./live.js";
import { repeat, say } from "./notice.js";

const underWay = new WeakSet();

/** Returns the field of a form that an error is about, null for one of many ticks and what nobody sees. */
function fieldOf(form, name) {
  const found = form.elements.namedItem(name);
  return found instanceof HTMLElement && !["checkbox", "hidden"].includes(found.type) ? found : null;
}

/** Returns what is wrong, each field by the name that the form gives it. */
function complaint(problem, form, status) {
  const listed = (problem.errors ?? []).filter(({ field }) => form.elements.namedItem(field)).map(({ field, detail }) => {
    const label = fieldOf(form, field)?.labels[0];
    return label ? `${label.textContent.trim()}: ${detail}` : detail;
  });
  return `${listed.join("; ") || problem.detail || problem.title} (${status})`;
}

function refuse(problem, form, status) {
  say(complaint(problem, form, status), status);
  focusOn((problem.errors ?? []).map(({ field }) => fieldOf(form, field)).find(Boolean));
  document.dispatchEvent(new CustomEvent("refused", { detail: problem }));
}

/** Sends a form's content; returns what the server answered, or null after it has said what went wrong. */
async function send(form, fields) {
  try {
    const action = form.getAttribute("action");
    const headers = { Accept: "application/json" };
    if (form.closest("#live")) headers["Oms-Stays-On"] = location.pathname + location.search;
    const answer = await fetch(action, { method: "POST", headers, body: fields });
    const body = await answer.json();
    if (answer.ok) return body;
    refuse(body, form, answer.status);
  } catch {
    say("The server cannot be reached. Try again when the page is live again.", 0);
  }
  return null;
}

async function submit(event) {
  const form = event.target;
  if (!form.matches("form[data-live]")) return;
  event.preventDefault();
  // A button that is disabled instead would lose the focus.
  if (underWay.has(form) || event.submitter?.ariaDisabled === "true") return;
  underWay.add(form);
  form.ariaBusy = "true";
  const done = await send(form, new URLSearchParams(new FormData(form, event.submitter)));
  form.ariaBusy = null;
  underWay.delete(form);
  if (!done) return;
  const target = new URL(done.location, location.href);
  if (target.pathname + target.search !== location.pathname + location.search) location.assign(target);
  else if (done.stays) {
    say(done.message);
    if (form.dataset.live === "clear") clear(form);
    refresh();
  } else {
    focusAfterReload(form.querySelector("input[id], select[id]"));
    location.reload();
  }
}

/** Empties a form, which is another one from now on: sent with the same content again, it counts again. */
function clear(form) {
  form.reset();
  const { formKey } = form.elements;
  if (formKey) formKey.value = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

export function start() {
  document.addEventListener("submit", submit);
  repeat();
}
