"""An order request after validation, in its normal form."""

import hashlib
import json

from services.common.json_models import ApiModel


class Draft(ApiModel):
    """A valid request: customer, quantity of each SKU, and the total that the client expects in minor units."""

    id: str | None
    customer_id: str
    items: dict[str, int]
    total: int | None

    @property
    def fingerprint(self) -> str:
        """A digest of the content, equal for equivalent requests."""
        content = json.dumps([self.customer_id, sorted(self.items.items())], ensure_ascii=True)
        return hashlib.sha256(content.encode()).hexdigest()
