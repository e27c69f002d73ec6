// Opens a page that could not be made again, as soon as it can be.
const TRY_AGAIN_AFTER = 3000;

async function isBack() {
  if (document.hidden) return false;
  try {
    return (await fetch(location.href, { headers: { Accept: "text/html" } })).ok;
  } catch {
    return false;
  }
}

async function look() {
  if (await isBack()) location.reload();
  else setTimeout(look, TRY_AGAIN_AFTER);
}

/** Begins to look whether the page is there again, if it is one that may be. */
export function recover() {
  if (document.querySelector("[data-recover]")) setTimeout(look, TRY_AGAIN_AFTER);
}
