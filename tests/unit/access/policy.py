"""Dapr's access-control policy, derived from the rules: allowed methods by caller and first path segment."""

from collections.abc import Mapping

from services.common.web.access_rules import CONSOLE, Rules

Operations = dict[str, set[str]]
"""HTTP methods by the first path segment."""


def operations(tables: Mapping[str, Rules]) -> dict[str, Operations]:
    """Return the allowed operations by caller; the console may call everything that persons may."""
    allowed_operations: dict[str, Operations] = {}
    for rules in tables.values():
        for endpoint, rule in rules.items():
            method, path = endpoint.split()
            # The feed's page is for browsers.
            callers = rule.apps | ({CONSOLE} if rule.roles and path != "/" else set())
            for caller in callers:
                allowed_operations.setdefault(caller, {}).setdefault("/" + path.split("/")[1], set()).add(method)
    return allowed_operations


def as_yaml(tables: Mapping[str, Rules]) -> str:
    """Return the `policies` of the configuration's `accessControl`."""
    lines = ["    policies:"]
    for caller, allowed in sorted(operations(tables).items()):
        lines += [f"      - appId: {caller}", "        defaultAction: deny", "        trustDomain: public"]
        lines += ['        namespace: "default"', "        operations:"]
        for path, methods in sorted(allowed.items()):
            verbs = ", ".join(sorted(methods))
            lines += [f"          - name: {path}", f"            httpVerb: [{verbs}]", "            action: allow"]
    return "\n".join(lines) + "\n"
