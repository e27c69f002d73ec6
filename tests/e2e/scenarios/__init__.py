"""All scenarios."""

from tests.e2e.groups import Scenario
from tests.e2e.scenarios import courier, decisions, goods, intake, maintenance, payments

GROUPS = (
    goods.TOGETHER,
    payments.LIMITED,
    maintenance.FRAUD_DOWN,
    maintenance.SHIPPING_DOWN,
    maintenance.BILLING_STOPPED,
)

SCENARIOS: list[Scenario] = [scenario for group in GROUPS for scenario in (*group.scenarios, *group.last)]

__all__ = ["GROUPS", "SCENARIOS", "courier", "decisions", "intake"]
