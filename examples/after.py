"""After: the application on the v2 tables."""

from collections.abc import Callable
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder, Key
from botocore.exceptions import ClientError

from examples.before import addition_of, every_page, meant, update_of
from examples.entities import AlreadyExists, Changes, Clock, Entity, Item, NotFound, Ref, ref_of, timestamp
from examples.patience import DEADLINE_SECONDS, Contended, PatientTable, cancelled_by, patiently
from examples.v2_items import STAMP, is_record, plain_changes, record_of, v2_item, v2_key

STAGE_INDEX = "GSI1"


class NotAsExpected(Exception):
    """A field is no longer as the caller has read it."""


class V2Repository:
    """Leads or deals in a v2 table of their own.

    table: a boto3 Table of the resource API. It must not be shared between threads.
    """

    def __init__(
        self, table: Any, entity: Entity, now: Clock = timestamp, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._table = PatientTable(table, deadline_seconds)
        self._name: str = table.name
        self._entity = entity
        self._now = now
        self._transact = table.meta.client.transact_write_items
        self._rewrite = patiently(self._read_and_write, deadline_seconds)

    def create(self, item: Item) -> Ref:
        """Write a new record; ``item`` has an id. Raises AlreadyExists."""
        whole = v2_item(self._entity, {"updated_at": self._now(), **item})
        try:
            self._table.put_item(Item=whole, ConditionExpression=Attr("id").not_exists())
        except ClientError as error:
            raise meant(error, AlreadyExists(item["id"])) from error
        return ref_of(whole)

    def get(self, ref: Ref) -> Item | None:
        """The record, or None."""
        item = self._read(ref)
        return record_of(item) if item is not None else None

    def find(self, id: str) -> Ref | None:  # noqa: A002 (it is the field's name)
        """Where the record is, for a caller that knows only its id. This reads all records of the kind: keep the Ref."""
        items = every_page(
            self._table.query,
            KeyConditionExpression=Key("PK").eq(self._entity.name),
            FilterExpression=Attr("id").eq(id),
            ConsistentRead=True,
        )
        return ref_of(items[0]) if items else None

    def update(self, ref: Ref, changes: Changes) -> Item:
        """Change fields. Returns the record as it is then. Raises NotFound."""
        stamped = {"updated_at": self._now(), **changes}
        plain = plain_changes(self._entity, stamped)
        if plain is None:
            return record_of(self._rewrite(ref, lambda _: stamped))
        return record_of(self._update(ref, update_of(plain), Attr("id").exists(), NotFound(ref.id)))

    def update_if(self, ref: Ref, expected: Changes, changes: Changes) -> bool:
        """Change fields if these still have the values that were read (None: absent). Returns whether; False too where there is no
        record."""

        def changed(record: Item) -> Changes:
            if any(record.get(name) != value for name, value in expected.items()):
                raise NotAsExpected(ref.id)
            return {"updated_at": self._now(), **changes}

        try:
            self._rewrite(ref, changed)
        except (NotFound, NotAsExpected):
            return False
        return True

    def add(self, ref: Ref, field: str, amount: int) -> Item:
        """Count: no count of another instance is lost. Returns the record as it is then. Raises NotFound."""
        if field in self._entity.fields:
            addition = addition_of(field, amount, self._now())
            return record_of(self._update(ref, addition, Attr("id").exists(), NotFound(ref.id)))
        return record_of(
            self._rewrite(ref, lambda record: {"updated_at": self._now(), field: record.get(field, 0) + amount})
        )

    def move_stage(self, ref: Ref, stage: str) -> Item:
        """Move the record to another stage, and so to another key of the index. Raises NotFound."""
        return self.update(ref, {self._entity.stage: stage})

    def change_created_at(self, ref: Ref, created_at: str) -> Ref:
        """Correct the time of creation. In another month the item moves to another key. Raises NotFound."""
        return ref_of(self.update(ref, {"created_at": created_at}))

    def delete(self, ref: Ref) -> None:
        """Raises NotFound."""
        try:
            self._table.delete_item(Key=v2_key(self._entity, ref), ConditionExpression=Attr("id").exists())
        except ClientError as error:
            raise meant(error, NotFound(ref.id)) from error

    def list_by_stage(self, stage: str) -> list[Item]:
        """All records at a stage, from the index."""
        begin, _ = self._entity.index["GSI1PK"]
        items = every_page(
            self._table.query, IndexName=STAGE_INDEX, KeyConditionExpression=Key("GSI1PK").eq(f"{begin}{stage}")
        )
        return [record_of(item) for item in items]

    def _read(self, ref: Ref) -> Item | None:
        item: Item | None = self._table.get_item(Key=v2_key(self._entity, ref), ConsistentRead=True).get("Item")
        return item if is_record(item) else None

    def _read_and_write(self, ref: Ref, changed: Callable[[Item], Changes]) -> Item:
        """Read the item, and change it if it is still as it was read. Raises NotFound, Contended, and what ``changed`` raises."""
        was = self._read(ref)
        if was is None:
            raise NotFound(ref.id)
        record = record_of(was)
        item = v2_item(self._entity, {**record, **changed(record)})
        if (item["PK"], item["SK"]) != (was["PK"], was["SK"]):
            return self._move(was, item)
        changes = {name: value for name, value in item.items() if was.get(name) != value}
        changes |= dict.fromkeys(was.keys() - item.keys() - {STAMP})
        if not changes:
            return was
        return self._update(ref, update_of(changes), as_read(was), Contended(ref.id))

    def _update(self, ref: Ref, request: Item, condition: ConditionBase, refused: Exception) -> Item:
        """UpdateItem, because it leaves all that it does not name unchanged."""
        try:
            answer = self._table.update_item(
                Key=v2_key(self._entity, ref),
                ConditionExpression=condition,
                ReturnValues="ALL_NEW",
                **request,
            )
        except ClientError as error:
            raise meant(error, refused) from error
        attributes: Item = answer["Attributes"]
        return attributes

    def _move(self, was: Item, item: Item) -> Item:
        """Put the item at its new key and delete it at the old one, in one transaction: no reader finds it twice or not at all."""
        key = {name: was[name] for name in ("PK", "SK")}
        put = {"TableName": self._name, "Item": item, **rendered(Attr("id").not_exists())}
        delete = {"TableName": self._name, "Key": key, **rendered(as_read(was))}
        try:
            self._transact(TransactItems=[{"Put": put}, {"Delete": delete}])
        except ClientError as error:
            if "ConditionalCheckFailed" in cancelled_by(error):
                raise Contended(was["id"]) from error
            raise
        return item


def as_read(item: Item) -> ConditionBase:
    """The condition that every attribute but tablesplit's is as it was read. Every change of a record changes `updated_at`."""
    first, *others = (Attr(name).eq(value) for name, value in item.items() if name != STAMP)
    condition: ConditionBase = first
    for other in others:
        condition &= other
    return condition


def rendered(condition: ConditionBase) -> Item:
    """A condition in the form that a transaction needs."""
    built = ConditionExpressionBuilder().build_expression(condition)
    request = {
        "ConditionExpression": built.condition_expression,
        "ExpressionAttributeNames": built.attribute_name_placeholders,
    }
    values = built.attribute_value_placeholders
    return {**request, "ExpressionAttributeValues": values} if values else request
