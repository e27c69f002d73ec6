// Sends forms without leaving the page, and shows the result. Without scripts, the same forms work with page loads.
import { focusAfterReload, focusOn } from "./focus.js";
import { refresh } from "./live.js";
import { announce, show } from "./notice.js";

const inFlight = new WeakSet();

/** Returns the field of a form that an error is about, null for check boxes and hidden fields. */
function fieldOf(form, name) {
  const field = form.elements.namedItem(name);
  return field instanceof HTMLElement && !["checkbox", "hidden"].includes(field.type) ? field : null;
}

/** Returns the message of a problem, which names each field by its label. */
function errorMessage(problem, form, status) {
  const listed = (problem.errors ?? []).filter(({ field }) => form.elements.namedItem(field)).map(({ field, detail }) => {
    const label = fieldOf(form, field)?.labels[0];
    return label ? `${label.textContent.trim()}: ${detail}` : detail;
  });
  return `${listed.join("; ") || problem.detail || problem.title} (${status})`;
}

function showProblem(problem, form, status) {
  show(errorMessage(problem, form, status), status);
  focusOn((problem.errors ?? []).map(({ field }) => fieldOf(form, field)).find(Boolean));
  document.dispatchEvent(new CustomEvent("refused", { detail: problem }));
}

/** Sends a form and returns the answer of the server, or null after it has shown an error. */
async function send(form, fields) {
  try {
    const action = form.getAttribute("action");
    const headers = { Accept: "application/json" };
    if (form.closest("#live")) headers["Oms-Stays-On"] = location.pathname + location.search;
    const answer = await fetch(action, { method: "POST", headers, body: fields });
    const body = await answer.json();
    if (answer.ok) return body;
    showProblem(body, form, answer.status);
  } catch {
    show("The server cannot be reached. Try again when the page is live again.", 0);
  }
  return null;
}

async function submit(event) {
  const form = event.target;
  if (!form.matches("form[data-live]")) return;
  event.preventDefault();
  // Disabling the button instead would remove its focus.
  if (inFlight.has(form) || event.submitter?.ariaDisabled === "true") return;
  inFlight.add(form);
  form.ariaBusy = "true";
  const answer = await send(form, new URLSearchParams(new FormData(form, event.submitter)));
  form.ariaBusy = null;
  inFlight.delete(form);
  if (!answer) return;
  const target = new URL(answer.location, location.href);
  if (target.pathname + target.search !== location.pathname + location.search) location.assign(target);
  else if (answer.stays) {
    show(answer.message);
    if (form.dataset.live === "clear") clear(form);
    refresh();
  } else {
    focusAfterReload(form.querySelector("input[id], select[id]"));
    location.reload();
  }
}

/** Resets a form and gives it a new key, so that sending the same content again counts again. */
function clear(form) {
  form.reset();
  const { formKey } = form.elements;
  if (formKey) formKey.value = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function start() {
  document.addEventListener("submit", submit);
  announce();
}
