// Makes one tree of elements like another, changing only what differs: what a person has focused, ticked, typed or
// opened stays as it is.

const key = (node) => (node.nodeType === Node.ELEMENT_NODE && (node.dataset.key || node.id)) || null;

const byKey = (nodes) => new Map([...nodes].filter(key).map((node) => [key(node), node]));

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);
}

function morphAttributes(now, next) {
  for (const { name } of [...now.attributes]) {
    // A person opens and closes details, not the server.
    if (!next.hasAttribute(name) && !(name === "open" && now.nodeName === "DETAILS")) now.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
}

/** Takes away the children with a key that `next` does not have: those below would have to be moved, and an element
 * that is moved loses its focus. */
function dropOthers(now, next) {
  const wanted = byKey(next.childNodes);
  const others = [...byKey(now.childNodes)].filter(([name, node]) => !wanted.has(name) || !alike(node, wanted.get(name)));
  for (const [, node] of others) node.remove();
  // The blanks before and after one of them are one text now.
  if (others.length) now.normalize();
}

/** Makes the children of `now` like those of `next`, which is used up. */
export function morphChildren(now, next) {
  dropOthers(now, next);
  const keyed = byKey(now.childNodes);
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const known = key(wanted) ? keyed.get(key(wanted)) : at;
    if (known && alike(known, wanted)) {
      if (known === at) at = at.nextSibling;
      else now.insertBefore(known, at);
      morph(known, wanted);
    } else {
      now.insertBefore(wanted, at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function morph(now, next) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.nodeValue !== next.nodeValue) now.nodeValue = next.nodeValue;
    return;
  }
  // The server cannot know better what is marked so.
  if (now.isEqualNode(next) || next.hasAttribute("data-keep")) return;
  morphAttributes(now, next);
  morphChildren(now, next);
}
