"""Settings for tests on servers: short waits, small leases."""

from typing import Any

QUICK: dict[str, Any] = {
    "shard_discovery_seconds": 0.3,
    "poll_interval_seconds": 0.25,
    "lease_seconds": 4.0,
    "request_timeout_seconds": 3.0,
    "clock_margin_seconds": 0.0,
    "settle_seconds": 1.0,
    "segments": 2,
    "log_level": "warning",
}
