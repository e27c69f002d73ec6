"""README's table of settings has every environment variable that the services read, and no other of their kind."""

import re

from launcher.paths import ROOT
from services.billing.app import BillingConfig
from services.fraud.app import FraudConfig
from services.inventory.app import InventoryConfig
from services.notifications.app import NotificationsConfig
from services.oms.codec_server import CodecServerConfig
from services.orderprocessing.config import OrderProcessingConfig
from services.shipping.app import ShippingConfig
from services.web.app import WebConfig

CONFIGURATIONS = (
    BillingConfig,
    CodecServerConfig,
    FraudConfig,
    InventoryConfig,
    NotificationsConfig,
    OrderProcessingConfig,
    ShippingConfig,
    WebConfig,
)
NOT_SERVICES = {"WORKERS", "OMS_URL", "OMS_API_KEY", "XDG_CACHE_HOME", "DAPR_RUNTIME_PATH"}


def test_the_table_of_settings_is_complete() -> None:
    table = (ROOT / "README.md").read_text().partition("## Configuration")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named - NOT_SERVICES == {field.upper() for one in CONFIGURATIONS for field in one.model_fields}
