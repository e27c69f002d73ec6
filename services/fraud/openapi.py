"""What fraud tells of its HTTP interface."""

from services.common.json_models import Json
from services.common.web.openapi import Link, Operation, document
from services.fraud.models import (
    CheckAnswer,
    CheckRequest,
    LimitRequest,
    MaintenanceRequest,
    ReversalAnswer,
    SettingsAnswer,
    TallyAnswer,
)


def describe() -> Json:
    """Return fraud's OpenAPI document."""
    about = "A spending limit for each customer, in cents. In maintenance every check is answered 503."
    return document("fraud", about, [*_switches(), *_checks()])


def _switches() -> list[Operation]:
    return [
        Operation("GET", "/settings", "showSettings", "The limit and the maintenance switch", SettingsAnswer),
        Operation("POST", "/limit", "setLimit", "Set the limit; 0 is none", SettingsAnswer, body=LimitRequest),
        Operation(
            "POST",
            "/maintenance",
            "setMaintenance",
            "Switch maintenance on, or off",
            SettingsAnswer,
            body=MaintenanceRequest,
            body_required=False,
        ),
        Operation("POST", "/reset", "reset", "Clear tallies, limit and maintenance", SettingsAnswer),
    ]


def _checks() -> list[Operation]:
    return [
        Operation(
            "POST",
            "/check",
            "check",
            "Ask whether a customer may be charged; what is not declined counts",
            CheckAnswer,
            body=CheckRequest,
            links=[Link("showTally", {"customerId": "$request.body#/customerId"})],
        ),
        Operation(
            "POST",
            "/check/{chargeId}",
            "checkCharge",
            "Ask whether a customer may be charged; what is not declined counts once for the charge id",
            CheckAnswer,
            body=CheckRequest,
            refusals=[404, 409],
            links=[
                Link("reverse", {"chargeId": "$request.path.chargeId"}),
                Link("showTally", {"customerId": "$request.body#/customerId"}),
            ],
            internal=True,
        ),
        Operation(
            "POST",
            "/check/{chargeId}/reverse",
            "reverse",
            "Take a charge off its customer's tally",
            ReversalAnswer,
            refusals=[404, 422],
            internal=True,
        ),
        Operation("GET", "/tally/{customerId}", "showTally", "A customer's tally", TallyAnswer, refusals=[404, 422]),
    ]
