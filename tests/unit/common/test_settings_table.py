"""README's table of settings has every environment variable that the services read, and no other of their kind."""

import re

from services.billing.app import BillingConfig
from services.common.config import ServiceConfig
from services.notifications.app import NotificationsConfig
from services.oms.codec_server import CodecServerConfig
from services.orderprocessing.config import OrderProcessingConfig
from services.web.app import WebConfig
from tests.markdown import README

CONFIGURATIONS = (
    BillingConfig,
    CodecServerConfig,
    ServiceConfig,
    NotificationsConfig,
    OrderProcessingConfig,
    WebConfig,
)
NOT_SERVICES = {"WORKERS", "NICENESS", "OMS_URL", "OMS_API_KEY", "XDG_CACHE_HOME", "DAPR_RUNTIME_PATH"}


def test_the_table_of_settings_is_complete() -> None:
    cells = re.findall(r"^\| (`[^|]*) \|", README.section("Configuration"), re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named - NOT_SERVICES == {field.upper() for one in CONFIGURATIONS for field in one.model_fields}
