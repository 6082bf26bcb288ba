"""What `dual` needs at least, in plain boto3: each change in a transaction with the record of its item in a ledger.

The ledger counts what was carried for an item, from either side. A change is carried if the count is still what was read before;
otherwise it is read again. A write carries the change's version in the item's stamp, by which the other direction knows it.
This settles no conflict of both sides: it is less than what tablesplit does.
"""

from collections.abc import Callable, Sequence
from typing import Any

from service.config import Settings
from service.core.item.change import Change
from service.core.item.stamp import stream_version
from service.core.item.wire import Item, key_text
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.core.rules.guarded import change_writes

Carry = Callable[[Change], tuple[Item, str, Item]]
"""From a change to the old key, and the table and the item that are to be put."""


class BotoDual:
    """Carries changes between the old table and v2."""

    def __init__(self, dynamodb: Any, mapping: Mapping) -> None:
        self._dynamodb = dynamodb
        self._mapping = mapping
        self._control = Settings().control_table

    def forward(self, changes: Sequence[Change]) -> None:
        """Carry the application's changes of the old table."""
        self._carry(changes, self._to_v2)

    def reverse(self, changes: Sequence[Change]) -> None:
        """Carry the application's changes of v2."""
        self._carry(changes, self._to_old)

    def _to_v2(self, change: Change) -> tuple[Item, str, Item]:
        put = change_writes(self._mapping, [change], 1)[0]
        return change.key, put.table, put.item

    def _to_old(self, change: Change) -> tuple[Item, str, Item]:
        assert change.new is not None
        old = inverse(self._mapping, change.new, change.table)
        stamp = {"M": {"v": {"S": stream_version(1, change.sequence)}}}
        return old_key(self._mapping, old), self._mapping.old.table, {**old, self._mapping.stamp: stamp}

    def _carry(self, changes: Sequence[Change], write_of: Carry) -> None:
        for change in changes:
            if not self._is_ours(change):
                self._write(*write_of(change))

    def _is_ours(self, change: Change) -> bool:
        """Whether the other direction wrote it: then it has another stamp than before."""
        before, after = ((image or {}).get(self._mapping.stamp) for image in (change.old, change.new))
        return before != after

    def _write(self, key: Item, table: str, item: Item) -> None:
        record = {"pk": {"S": "ledger"}, "sk": {"S": key_text(key)}}
        cancelled = self._dynamodb.exceptions.TransactionCanceledException
        while True:
            found = self._dynamodb.get_item(TableName=self._control, Key=record, ConsistentRead=True).get("Item")
            counted = {
                "TableName": self._control,
                "Key": record,
                "UpdateExpression": "SET #c = :next",
                "ConditionExpression": "attribute_not_exists(#c)" if found is None else "#c = :read",
                "ExpressionAttributeNames": {"#c": "count"},
                "ExpressionAttributeValues": _counts(found),
            }
            try:
                self._dynamodb.transact_write_items(
                    TransactItems=[{"Update": counted}, {"Put": {"TableName": table, "Item": item}}]
                )
            except cancelled:
                continue
            return


def _counts(found: Item | None) -> Item:
    if found is None:
        return {":next": {"N": "1"}}
    return {":next": {"N": str(int(found["count"]["N"]) + 1)}, ":read": found["count"]}
