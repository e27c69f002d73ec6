"""The two base classes of everything that is read or written as JSON."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

Json = dict[str, Any]
"""A JSON object as it came, or goes, over the wire."""


class ApiModel(BaseModel):
    """A JSON object with camelCase names, immutable; fields that it does not know are ignored."""

    # An error that ends up in a log must not carry the value that was wrong: it may be a customer's.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, hide_input_in_errors=True)

    def to_json(self) -> dict[str, Any]:
        """Return the object as it goes over the wire."""
        return self.model_dump(mode="json", by_alias=True)


class Request(ApiModel):
    """A request's body: strict, so that "1" is no number and 1 no string."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)


def reason(error: ErrorDetails) -> str:
    """Return what pydantic says is wrong, without what it puts before a sentence of ours."""
    return error["msg"].removeprefix("Value error, ")


def _printable(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    if not text.isprintable():
        raise ValueError("must hold printable characters only")
    return text


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
"""A short text that a person may have typed: a customer id, an SKU, an approver."""

LineQuantity = Annotated[int, Field(ge=1, le=100_000)]
"""How many of an SKU one fulfillment may hold: an order may name it on several lines, 100 lines of 1,000."""


class GoodsLine(Request):
    """Goods of one SKU, as one service tells another of them; read from requests and kept in records."""

    # Records are written with the field's own names.
    model_config = ConfigDict(populate_by_name=True)

    sku: Name
    quantity: LineQuantity


Quantity = Annotated[int, Field(ge=1, le=1000)]
"""How many of an SKU one line of an order may hold."""
