"""Fraud's HTTP interface."""

from services.common.identity import Role
from services.common.web import api
from services.common.web.access_rules import people, services
from services.common.web.openapi import Link
from services.fraud import domain
from services.fraud.models import (
    ChargePath,
    CheckAnswer,
    CheckRequest,
    LimitRequest,
    MaintenanceRequest,
    ReversalAnswer,
    SettingsAnswer,
    TallyAnswer,
    TallyPath,
)
from services.fraud.store import FraudStore

_MANAGER = people(Role.MANAGER)
_ORDERS = services("orderprocessing")

_SHOW_TALLY = Link("showTally", {"customerId": "$request.body#/customerId"})


class SettingsRoutes:
    """The limit, and the maintenance switch."""

    def __init__(self, store: FraudStore) -> None:
        self._store = store

    @api.get("/settings", "The limit and the maintenance switch", allow=_MANAGER)
    def show_settings(self) -> SettingsAnswer:
        """Return the settings."""
        return domain.show_settings(self._store.settings())

    @api.post("/limit", "Set the limit; 0 is none", allow=_MANAGER)
    def set_limit(self, body: LimitRequest) -> SettingsAnswer:
        """Set the limit."""
        return domain.show_settings(self._store.set_limit(body.limit))

    @api.post("/maintenance", "Turn maintenance on or off", allow=_MANAGER, body_required=False)
    def set_maintenance(self, body: MaintenanceRequest) -> SettingsAnswer:
        """Begin or end maintenance."""
        return domain.show_settings(self._store.set_maintenance(body.enabled))

    @api.post("/reset", "Clear tallies, limit and maintenance", allow=_MANAGER)
    def reset(self) -> SettingsAnswer:
        """Begin a new epoch with the default settings."""
        return domain.show_settings(self._store.reset())


class CheckRoutes:
    """Checks, and the tallies that they add to."""

    def __init__(self, store: FraudStore) -> None:
        self._store = store

    @api.post(
        "/check",
        "Check whether a customer may be charged, and count the charge unless it is declined",
        allow=_MANAGER,
        links=[_SHOW_TALLY],
    )
    def check(self, body: CheckRequest) -> CheckAnswer:
        """Check a charge without an id."""
        return CheckAnswer(declined=self._store.check(body))

    @api.post(
        "/check/<charge_id>",
        "Check whether a customer may be charged, and count the charge once for its id unless it is declined",
        allow=_ORDERS,
        errors=[404, 409],
        links=[Link("reverse", {"chargeId": "$request.path.chargeId"}), _SHOW_TALLY],
    )
    def check_charge(self, path: ChargePath, body: CheckRequest) -> CheckAnswer:
        """Check a charge once for its id."""
        return domain.answer(self._store.check_charge(body, path.charge_id))

    @api.post(
        "/check/<charge_id>/reverse", "Subtract a charge from its customer's tally", allow=_ORDERS, errors=[404, 422]
    )
    def reverse(self, path: ChargePath) -> ReversalAnswer:
        """Reverse a check."""
        check = self._store.reverse(path.charge_id)
        return ReversalAnswer(charge_id=check.charge_id, outcome=check.outcome)

    @api.get("/tally/<customer_id>", "A customer's tally", allow=_MANAGER, errors=[404, 422])
    def show_tally(self, path: TallyPath) -> TallyAnswer:
        """Return a customer's tally."""
        return TallyAnswer(customer_id=path.customer_id, tally=domain.current(*self._store.tally(path.customer_id)))


API = api.Api(
    "fraud",
    "A spending limit for each customer, in cents. During maintenance every check gets a 503.",
    [SettingsRoutes, CheckRoutes],
)
