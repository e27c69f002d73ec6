"""The settings of orderprocessing, shared by its API and its workers."""

from pydantic import Field

from services.common.config import Money, Seconds
from services.orderprocessing.adapters.history_archive import DEFAULT_LIMIT, DEFAULT_SECONDS
from services.orderprocessing.domain.order_rules import Policy
from services.orderprocessing.engine.worker.worker_identity import WorkerIdentityConfig
from services.orderprocessing.workflows.policies import Timeouts, longest_try


class OrderProcessingConfig(WorkerIdentityConfig):
    """The shop's rules; durations in seconds. `sidecar_supervised`: a supervisor restarts the sidecar when it ends."""

    dapr_grpc_port: int = Field(default=50001, ge=1, le=65535)
    server_threads: int = Field(default=24, ge=1, le=512)
    order_action_timeout: Seconds = 30.0
    approval_timeout: Seconds = 24 * 3600.0
    approval_threshold: Money = 100_000
    charge_timeout: Seconds = 30.0
    booking_timeout: Seconds = 30.0
    reconcile_interval: Seconds = 10.0
    backlog_limit: int = Field(default=400, ge=1, le=1_000_000)
    history_archive_time: Seconds = DEFAULT_SECONDS
    history_archive_limit: int = Field(default=DEFAULT_LIMIT, ge=1024, le=2 * 1024 * 1024)  # a sidecar takes 4 MiB
    history_archive_interval: Seconds = 10.0
    sidecar_supervised: bool = False

    def timeouts(self) -> Timeouts:
        """Return the timeouts of the workflows, and the longest duration of one try."""
        return Timeouts(self.charge_timeout, self.booking_timeout, longest_try(self.call_timeout))

    def policy(self) -> Policy:
        """Return the settings of the domain's rules."""
        return Policy(self.order_action_timeout, self.approval_timeout, self.approval_threshold)
