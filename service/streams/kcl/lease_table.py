"""KCL's lease table of one stream, kept in step with the saved positions.

The positions in the control table are what counts, for either engine. A worker saves them before KCL's checkpoint. So KCL's
checkpoint lies at or behind them while it reads, and far behind after the embedded engine has read; it lies beyond them only
after the operator has accepted a gap. A worker that takes the lane's lease therefore brings every row to its position first:
nothing is lost and nothing trimmed is requested, whichever engine read before. Rows that exist already also save KCL a minute
at its first start.

A row is ``leaseKey`` (the shard), ``checkpoint`` (a sequence number, TRIM_HORIZON or SHARD_END), ``parentShardId`` and KCL's
own attributes, which stay as they are. Our rows have one more, ``tablesplit``: the control table of the migration that they
belong to.
"""

from collections.abc import Iterable, Mapping

from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, Equals, Exists, Put, Update
from service.core.shards import Position
from service.dynamodb.protocol import ItemStore
from service.dynamodb.table_description import NewTable
from service.errors import Refused

KEY = "leaseKey"
OWNER_MARK = "tablesplit"
SUFFIXES = ("", "-CoordinatorState", "-WorkerMetricStats")
"""KCL's tables of an application: leases, coordination, and the workers' load."""

SCAN_ITEMS = 1000


def lease_table_name(application: str, table: str) -> str:
    """The name of KCL's application for the stream of ``table``, which is also the name of its lease table."""
    return f"{application}-{table}"


def new_lease_table(name: str) -> NewTable:
    """The lease table as KCL creates it (KCL 3 assigns leases by the index)."""
    index = {"LeaseOwnerToLeaseKeyIndex": ("leaseOwner", KEY)}
    return NewTable(name, (KEY, None), index, stream=False, projections=dict.fromkeys(index, ()))


class LeaseTable:
    """The rows of one stream."""

    def __init__(self, store: ItemStore, name: str, owner: str) -> None:
        """``owner``: the control table of the migration that the rows belong to."""
        self._store = store
        self._name = name
        self._owner = {"S": owner}

    async def rows(self) -> dict[str, Item]:
        """Every row, by shard. Raises Refused when the table does not belong to this migration."""
        rows: dict[str, Item] = {}
        start: Item | None = None
        while True:
            page = await self._store.scan(self._name, segment=0, segments=1, start=start, limit=SCAN_ITEMS)
            rows |= {row[KEY]["S"]: row for row in page.items}
            start = page.last_key
            if start is None:
                self._require_own(rows.values())
                return rows

    async def follow(self, rows: Mapping[str, Item], positions: Mapping[str, Position]) -> None:
        """Bring ``rows`` to ``positions``, which must have been read after them.

        A row that changes meanwhile is left: a live worker has checkpointed it, and is right.
        """
        for shard_id, position in positions.items():
            row = rows.get(shard_id)
            if row is None:
                await self._store.write(Put(self._name, self._new_row(shard_id, position), Absent((KEY,))))
            else:
                await self._correct(shard_id, row, position)

    async def add(self, shard_id: str, position: Position) -> None:
        """Add a row for a new shard. If KCL has added it already, mark that row as ours."""
        if not await self._store.write(Put(self._name, self._new_row(shard_id, position), Absent((KEY,)))):
            ours = AllOf((Exists((KEY,)), Absent((OWNER_MARK,))))
            await self._store.write(
                Update(self._name, {KEY: {"S": shard_id}}, {OWNER_MARK: self._owner}, condition=ours)
            )

    async def _correct(self, shard_id: str, row: Item, position: Position) -> None:
        wanted = {"checkpoint": {"S": checkpoint_of(position)}, OWNER_MARK: self._owner}
        if {name: row.get(name) for name in wanted} == wanted:
            return
        unchanged = Equals(("checkpoint",), row["checkpoint"])
        await self._store.write(Update(self._name, {KEY: {"S": shard_id}}, wanted, condition=unchanged))

    def _new_row(self, shard_id: str, position: Position) -> Item:
        parent = {} if position.parent_id is None else {"parentShardId": {"SS": [position.parent_id]}}
        return {
            KEY: {"S": shard_id},
            "checkpoint": {"S": checkpoint_of(position)},
            "checkpointSubSequenceNumber": {"N": "0"},
            "leaseCounter": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
            "startingHashKey": {"S": "0"},
            "endingHashKey": {"S": "1"},
            OWNER_MARK: self._owner,
            **parent,
        }

    def _require_own(self, rows: Iterable[Item]) -> None:
        marks = [row.get(OWNER_MARK) for row in rows]
        strangers = [mark["S"] for mark in marks if mark not in (None, self._owner)]
        if not strangers and (not marks or self._owner in marks):
            return
        whose = f"the migration of control table {strangers[0]}" if strangers else "another KCL application"
        raise Refused(
            f"lease table {self._name} belongs to {whose}",
            remedy="set TABLESPLIT_KCL_APPLICATION to a name of its own, the same for every worker of this migration",
        )


def checkpoint_of(position: Position) -> str:
    """A position as KCL writes it."""
    if position.state == "finished":
        return "SHARD_END"
    return position.sequence or "TRIM_HORIZON"
