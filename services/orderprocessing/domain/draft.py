"""A request for an order, checked and in its one normal form."""

import hashlib
import json

from services.common.json_models import ApiModel


class Draft(ApiModel):
    """A checked request: what is ordered, by whom, and the total that the client expects, in minor units."""

    id: str | None
    customer_id: str
    items: dict[str, int]
    total: int | None

    @property
    def fingerprint(self) -> str:
        """A digest that is equal for requests that mean the same."""
        meaning = json.dumps([self.customer_id, sorted(self.items.items())], ensure_ascii=True)
        return hashlib.sha256(meaning.encode()).hexdigest()
