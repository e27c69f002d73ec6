// Messages and errors at the top of the page.

const messages = document.getElementById("message");
const alerts = document.getElementById("alerts");
/** In milliseconds; a screen reader announces only changes after it has read the page. */
const ANNOUNCE_AFTER = 500;
const INVALID = 422;

/** Shows a message, or an error if `status` is given: the HTTP status of the answer, 0 without an answer. */
export function show(message, status = null) {
  const isError = status !== null;
  const box = document.createElement("div");
  box.className = `alert ${isError ? "alert-danger" : "alert-success"} d-flex justify-content-between gap-3`;
  if (isError) box.setAttribute("role", "alert");
  box.dataset.status = status ?? "";
  const text = document.createElement("div");
  text.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.ariaLabel = "Close this message";
  close.addEventListener("click", () => box.remove());
  box.append(text, close);
  messages.replaceChildren();
  alerts.replaceChildren();
  (isError ? alerts : messages).append(box);
}

/** Removes the errors of a lost connection; errors in the input stay. */
export function clearConnectionErrors() {
  for (const box of alerts.querySelectorAll("[data-status]")) if (Number(box.dataset.status) !== INVALID) box.remove();
}

/** Shows the message of the loaded page again, so that screen readers announce it. */
export function announce() {
  const message = messages.firstElementChild;
  if (message) setTimeout(() => message.isConnected && show(message.textContent), ANNOUNCE_AFTER);
}
