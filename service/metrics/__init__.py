"""Every metric of one process, on a registry of its own: base units, no label with unbounded values (no shard, no key)."""

from service.metrics.process import Metrics

__all__ = ["Metrics"]
