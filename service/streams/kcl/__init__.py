"""The kcl engine: several workers share a stream, by leases of the Kinesis Client Library's daemon and by claims of our own.

Entry points: ``reader.KclReader`` and ``reader.KclEngine``, ``census.Census``, ``daemon.require_daemon``.
"""
