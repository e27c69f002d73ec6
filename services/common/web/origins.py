"""Cross-site request checks: pages of other sites must not send requests in the name of a browser's user."""

from flask import request

from services.common.web.problems import Problem

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_same_site() -> bool:
    """Return whether the browser says that the request comes from this origin or directly from a person."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}


def is_safe_or_same_site() -> bool:
    """Return whether the current request has a safe method or does not come from a page of another site."""
    return request.method in _SAFE_METHODS or _is_same_origin()


def reject_cross_site() -> None:
    """Reject requests of pages of other sites, except links that a person follows. Raises the 403."""
    # A page fetches by a script or embeds a resource in another mode than that of a link.
    is_link = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    if not is_safe_or_same_site() or not (is_same_site() or is_link):
        raise Problem(403, "crossOrigin", "pages of other sites may not send this request")


def reject_cross_site_stream() -> None:
    """Reject streams for pages of other sites, because stream slots are limited. Raises the 403."""
    if not _is_same_origin():
        raise Problem(403, "crossOrigin", "pages of other sites may not open this stream")


def _is_same_origin() -> bool:
    return is_same_site() and _host_of_page() in (None, request.host)


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
