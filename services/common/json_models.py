"""The two base classes of JSON models, and common field types."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

Json = dict[str, Any]
"""A JSON object as sent or received."""


class ApiModel(BaseModel):
    """An immutable JSON object with camelCase names; unknown fields are ignored."""

    # Validation errors may be logged, so they must not contain values, which may be a customer's.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, hide_input_in_errors=True)

    def to_json(self) -> dict[str, Any]:
        """Return the object as JSON."""
        return self.model_dump(mode="json", by_alias=True)


class Request(ApiModel):
    """A request body. Strict: "1" is not a number, and 1 is not a string."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)


def reason(error: ErrorDetails) -> str:
    """Return pydantic's message, without its prefix for our own messages."""
    return error["msg"].removeprefix("Value error, ")


def field_errors(error: ValidationError, whole: str) -> list[tuple[str, str]]:
    """Return every wrong field with the reason; `whole` names the object itself."""
    return [(".".join(str(part) for part in item["loc"]) or whole, reason(item)) for item in error.errors()]


def _printable(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    if not text.isprintable():
        raise ValueError("must hold printable characters only")
    return text


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
"""A short text: a customer id, an SKU, an approver."""

LineQuantity = Annotated[int, Field(ge=1, le=100_000)]
"""The quantity of an SKU in a fulfillment: an order may have 100 lines of 1,000 of the same SKU."""


class GoodsLine(Request):
    """A quantity of one SKU, in requests between services and in records."""

    # Records use the field names.
    model_config = ConfigDict(populate_by_name=True)

    sku: Name
    quantity: LineQuantity


Quantity = Annotated[int, Field(ge=1, le=1000)]
"""The quantity of an SKU on one line of an order."""
