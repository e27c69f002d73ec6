"""All stories."""

from tests.e2e.groups import Story
from tests.e2e.stories import courier, decisions, goods, intake, maintenance, payments

GROUPS = (
    goods.TOGETHER,
    payments.LIMITED,
    maintenance.FRAUD_DOWN,
    maintenance.SHIPPING_DOWN,
    maintenance.BILLING_STOPPED,
)

STORIES: list[Story] = [story for group in GROUPS for story in (*group.stories, *group.last)]

__all__ = ["GROUPS", "STORIES", "courier", "decisions", "intake"]
