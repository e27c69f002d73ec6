// Reloads an error page as soon as the page is available again.
const RETRY_AFTER = 3000;

async function isAvailable() {
  if (document.hidden) return false;
  try {
    return (await fetch(location.href, { headers: { Accept: "text/html" } })).ok;
  } catch {
    return false;
  }
}

async function check() {
  if (await isAvailable()) location.reload();
  else setTimeout(check, RETRY_AFTER);
}

/** Starts to check whether the page is available again, if it is a page that may recover. */
export function recover() {
  if (document.querySelector("[data-recover]")) setTimeout(check, RETRY_AFTER);
}
