"""Cross-site request checks: pages of other sites must not send requests in the name of a browser's user."""

from flask import request

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_same_site() -> bool:
    """Return whether the browser says that the request comes from this origin or directly from a person."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}


def is_safe_or_same_site() -> bool:
    """Return whether the current request has a safe method or does not come from a page of another site."""
    host = _host_of_page()
    same = host is None or host == request.host
    return request.method in _SAFE_METHODS or (is_same_site() and same)


def is_cross_site_fetch() -> bool:
    """Return whether a page of another site fetches by a script or embeds a resource; following a link is allowed."""
    return not is_same_site() and request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"


def _host_of_page() -> str | None:
    """Return the host of the page that sends the request, "" for an opaque origin, None where no page is named.

    Some old browsers send forms to other sites with neither `Origin` nor `Sec-Fetch-Site`, but with `Referer`.
    """
    headers = request.headers
    if "Origin" in headers:
        return headers["Origin"].partition("://")[2]
    if "Referer" in headers and "Sec-Fetch-Site" not in headers:
        return headers["Referer"].partition("://")[2].partition("/")[0]
    return None
