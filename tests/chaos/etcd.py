"""The scheduler's etcd as a test reaches it: over gRPC on its Unix socket, with messages encoded by hand."""

from pathlib import Path

import grpc

JOBS, EVERYTHING = b"dapr/jobs/", b""
_DELETE_RANGE = "/etcdserverpb.KV/DeleteRange"
_TIMEOUT_S = 10.0
_KEY, _RANGE_END = b"\x0a", b"\x12"
"""The tags of the request's two fields, both of bytes."""


def delete_keys(state_dir: Path, prefix: bytes) -> None:
    """Delete every key that begins with the prefix. Raises grpc.RpcError when the scheduler does not answer."""
    # A range from and to the zero byte is everything; otherwise it ends before the next prefix.
    first, end = (prefix, prefix[:-1] + bytes([prefix[-1] + 1])) if prefix else (b"\0", b"\0")
    request = b"".join(tag + bytes([len(value)]) + value for tag, value in ((_KEY, first), (_RANGE_END, end)))
    with grpc.insecure_channel(f"unix:{state_dir / 'scheduler' / 'etcd.sock'}") as channel:
        channel.unary_unary(_DELETE_RANGE)(request, timeout=_TIMEOUT_S)
