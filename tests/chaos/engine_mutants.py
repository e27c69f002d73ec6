"""Mutants without a safeguard against faults of the workflow engine."""

from tests.chaos.mutant import ORDERPROCESSING, Edit, Mutant, mutant

ENGINE_FAULTS = (
    mutant(
        "engine-lost-result",
        "a workflow whose activity result the engine lost is terminated and restarted",
        ORDERPROCESSING / "engine" / "stuck_detection.py",
        "    if unconsumed & scheduled.keys():\n",
        "    if len(unconsumed & scheduled.keys()) < 0:\n",
        "    return any(event.timestamp not in recent for event in pending) or overdue\n",
        "    return any(event.timestamp not in recent for event in pending[:0]) or overdue\n",
    ),
    mutant(
        "engine-no-workflow",
        "an order without a running workflow gets one",
        ORDERPROCESSING / "application" / "order_service.py",
        "        if not self._workflows.is_running(order.id):\n",
        "        if not order.id:\n",
    ),
    Mutant(
        "engine-sidecar-restart",
        "a sidecar that gives the worker no work is restarted",
        (
            Edit(
                ORDERPROCESSING / "engine" / "worker" / "worker.py",
                "            self._sidecar.shut_down()\n",
                "            pass\n",
            ),
        ),
        system_may_stop=True,
    ),
    mutant(
        "engine-idle-sidecar",
        "a sidecar that reports its worker and accepts no workflow is restarted too",
        ORDERPROCESSING / "engine" / "worker" / "worker.py",
        "            connected_workers(self._sidecar) == 0 or self._accepts_no_workflow(connected_for)\n",
        "            connected_workers(self._sidecar) == 0\n",
    ),
    mutant(
        "engine-liveness",
        "a worker is not ready while nothing runs on it",
        ORDERPROCESSING / "engine" / "worker" / "liveness.py",
        "        return self._last_activity is not None and self.idle_seconds() < _DEAD_AFTER\n",
        "        return True\n",
    ),
    mutant(
        "engine-signal-repeat",
        "a signal that the engine did not accept is repeated within a second",
        ORDERPROCESSING / "engine" / "dispatcher.py",
        "            if self._repeating or self._stopping.is_set():\n",
        "            if self._queue:\n",
    ),
    mutant(
        "engine-signal-scan",
        "the reconciler finds signals that were not acknowledged",
        ORDERPROCESSING / "application" / "order_service.py",
        "        self._workflows.signal(sorted(order.pending_signals) or _waiting_instances(order))\n",
        "",
    ),
)
"""Safeguards against faults of the engine; docs/upstream/README.md names the test that notices each."""
