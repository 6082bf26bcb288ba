"""What each label may say. Every value is exposed from the start, at 0, so that a rate can tell the first event, too."""

from typing import get_args

from service.core.phases.acting import Phase
from service.core.phases.conditions import CONDITIONS
from service.core.rules.forward import Outcome as ForwardOutcome
from service.core.rules.reverse import Outcome as ReverseOutcome

OTHER = "other"
"""Stands for a value that a later version of a server, say, comes up with: so the number of series stays bounded."""

PHASES: tuple[str, ...] = get_args(Phase)
DIRECTIONS = ("forward", "reverse")
SIDES = ("old", "v2")
ROLES = ("owner", "reader", "standby", "stopped")
SHARD_STATES = ("reading", "waiting", "finished")
BACKFILL_STATES = ("not started", "running", "stopped", "finished")
SEGMENT_STATES = ("done", "open")
GATE_CONDITIONS = tuple(asked.name for asked in CONDITIONS)

_LEDGER_OUTCOMES = {*get_args(ForwardOutcome), *get_args(ReverseOutcome)}
WRITE_OUTCOMES = (*sorted(_LEDGER_OUTCOMES | {"stale", "quarantined"}), OTHER)
COPY_OUTCOMES = ("copied", "present", "quarantined")
TOMBSTONE_OUTCOMES = ("purged", "changed", "overflow")

OPERATIONS = (
    "BatchExecuteStatement",
    "BatchGetItem",
    "DeleteItem",
    "DescribeStream",
    "GetItem",
    "GetRecords",
    "GetShardIterator",
    "PutItem",
    "Query",
    "Scan",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
    OTHER,
)
RESULTS = ("ok", "throttled", "conflict", "condition", "error", "timeout")
CAPACITY_KINDS = ("read", "write")

RETRY_REASONS = (
    "claim_unconfirmed",
    "connection_closed",
    "control_contended",
    "damaged_answer",
    "expired_credentials",
    "hook_failed",
    "hook_timeout",
    "hook_unreachable",
    "iterator_expired",
    "kcl_daemon_ended",
    "ledger_contended",
    "no_connection",
    "server_error",
    "throttled",
    "timeout",
    "transaction_conflict",
    "trimmed_iterator",
    OTHER,
)
WAIT_REASONS = ("operator_read_limit", "operator_write_limit", "partition_throttled", "target_slow")
