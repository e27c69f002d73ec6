"""Lists in pages: their query parameters, and the link to the next page."""

import re
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from flask import request
from pydantic import AfterValidator, BeforeValidator, Field
from werkzeug.urls import iri_to_uri

from services.common.json_models import ApiModel, Request
from services.common.records import BadCursorError, Slice
from services.common.storage.index_reader import check_cursor
from services.common.web.api import Reply

MAX_LIMIT = 1000

Item = TypeVar("Item", bound=ApiModel)


def _whole_number(text: Any) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def check_index_cursor(text: str) -> str:
    """Return the cursor if an index could have made it, or if it is empty; for use in a validator.

    Raises ValueError.
    """
    if text:
        try:
            check_cursor(text)
        except BadCursorError as error:
            raise ValueError("is not a cursor of this list") from error
    return text


Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(_whole_number)]
Cursor = Annotated[str, AfterValidator(check_index_cursor)]
"""A cursor of an index."""
LIMIT = Field(default=100, description="how many items at most")
CURSOR = Field(default=None, description="where to go on, from the `Link` header of the page before")


class PageQuery(Request):
    """The query parameters of a list."""

    limit: Limit = LIMIT
    cursor: Cursor | None = CURSOR


def page_reply(items: list[Item], page: Slice) -> Reply[list[Item]]:
    """Return the answer with a page of a list, and the RFC 8288 link to the next page where there is one."""
    return Reply(items, headers=next_link(page))


def next_link(page: Slice) -> dict[str, str]:
    """Return the `Link` header for the page behind this one; empty at the end of the list."""
    if not page.cursor:
        return {}
    kept = [(key, value) for key, value in request.args.items(multi=True) if key != "cursor"]
    query = urlencode([*kept, ("cursor", page.cursor)])
    return {"Link": f'<{iri_to_uri(request.base_url)}?{query}>; rel="next"'}
