"""The approver's page: the orders that wait for a decision."""

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.identity import Role
from services.common.json_models import Name, Request
from services.common.web.base_app import parse
from services.web.auth.current_user import called, known_as, remember
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import Facts, SideBySide
from services.web.pages import done, show
from services.web.views.approvals import Decision, case_of

_ROLE = Role.APPROVER
_LISTED = 20


class ApproverName(Request):
    """Who decides; it goes on record with the decision."""

    approver: Name


def approver_routes(backend: Backend, calls: SideBySide) -> Blueprint:
    """Return the approver's pages."""
    routes = Blueprint("approver", __name__, url_prefix="/approvals")
    cases = Facts(calls, lambda order_id: case_of(backend.order(order_id)), stays=lambda case: case.waits)

    @routes.get("/")
    def approvals() -> str:
        lines, cursor = backend.orders(_LISTED, request.args.get("cursor"), status="approvalRequired")
        known = cases.of([line["id"] for line in lines])
        # A list may be a moment behind the order itself.
        waiting = [line for line in lines if line["id"] not in known or known[line["id"]].waits]
        return show(
            "approver/approvals.html",
            orders=waiting,
            cases=known,
            cursor=cursor,
            approver=called(_ROLE),
            fixed=known_as(_ROLE) is not None,
        )

    @routes.post("/name")
    def be() -> Response:
        approver = parse(ApproverName, {"approver": request.form.get("approver", "").strip()}).approver
        return remember(done(url_for("approver.approvals"), f"You decide as {approver} now."), _ROLE, approver)

    @routes.post("/orders/<order_id>")
    def decide(order_id: str) -> Response:
        form = parse(Decision, {"approver": called(_ROLE), "decision": request.form.get("decision", "")})
        approved = form.decision == "approve"
        backend.approve(order_id, form.approver, approved)
        said = f"Order {order_id} is {'approved' if approved else 'rejected'}."
        return done(url_for("approver.approvals", cursor=request.form.get("cursor") or None), said)

    return routes
