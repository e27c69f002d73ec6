"""Which service may ask another for what, as Dapr's access-control policy has it: by the first part of the path."""

from collections.abc import Mapping

from services.common.web.access_rules import CONSOLE, Rules

Operations = dict[str, set[str]]
"""HTTP methods by the first part of the path."""


def operations(tables: Mapping[str, Rules]) -> dict[str, Operations]:
    """Return what each calling service may ask for; the console also asks for what persons may."""
    found: dict[str, Operations] = {}
    for rules in tables.values():
        for endpoint, rule in rules.items():
            method, path = endpoint.split()
            # The feed's page is for browsers.
            callers = rule.apps | ({CONSOLE} if rule.roles and path != "/" else set())
            for caller in callers:
                found.setdefault(caller, {}).setdefault("/" + path.split("/")[1], set()).add(method)
    return found


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
