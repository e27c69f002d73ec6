"""A minimal client of the scheduler's etcd: gRPC on its Unix socket, with messages encoded by hand."""

from pathlib import Path

import grpc

JOBS, EVERYTHING = b"dapr/jobs/", b""
_DELETE_RANGE = "/etcdserverpb.KV/DeleteRange"
_TIMEOUT_S = 10.0
_KEY, _RANGE_END = b"\x0a", b"\x12"
"""Tags of the two fields of the request, both of type bytes."""


def delete_keys(state_dir: Path, prefix: bytes) -> None:
    """Delete every key that begins with the prefix. Raises grpc.RpcError when the scheduler does not answer."""
    # A range from the zero byte to the zero byte contains all keys. Any other range ends before the next prefix.
    first, end = (prefix, prefix[:-1] + bytes([prefix[-1] + 1])) if prefix else (b"\0", b"\0")
    request = b"".join(tag + bytes([len(value)]) + value for tag, value in ((_KEY, first), (_RANGE_END, end)))
    with grpc.insecure_channel(f"unix:{state_dir / 'scheduler' / 'etcd.sock'}") as channel:
        channel.unary_unary(_DELETE_RANGE)(request, timeout=_TIMEOUT_S)
