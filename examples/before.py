"""Before: the application on the old table, as it has always been."""

from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase
from botocore.exceptions import ClientError

from examples.entities import AlreadyExists, Changes, Clock, Entity, Item, NotFound, Ref, ref_of, timestamp

TABLE_ATTRIBUTES = frozenset({"pk", "sk", "entity_type"})


class OldRepository:
    """Leads or deals in the one table of everything.

    table: a boto3 Table. It must not be shared between threads.
    """

    hidden = TABLE_ATTRIBUTES

    def __init__(self, table: Any, entity: Entity, now: Clock = timestamp) -> None:
        self._table = table
        self._entity = entity
        self._now = now

    def create(self, item: Item) -> Ref:
        """Write a new record; ``item`` has an id. Raises AlreadyExists."""
        kept = {name: value for name, value in item.items() if value is not None}
        whole = {**self._key(item["id"]), "entity_type": self._entity.name, "updated_at": self._now(), **kept}
        try:
            self._table.put_item(Item=whole, ConditionExpression=Attr("id").not_exists())
        except ClientError as error:
            raise meant(error, AlreadyExists(item["id"])) from error
        return ref_of(whole)

    def get(self, ref: Ref) -> Item | None:
        """The record, or None."""
        item = self._table.get_item(Key=self._key(ref.id), ConsistentRead=True).get("Item")
        return without(item, self.hidden) if item is not None else None

    def find(self, id: str) -> Ref | None:  # noqa: A002 (it is the field's name)
        """Where the record is."""
        item = self.get(Ref(id))
        return ref_of(item) if item is not None else None

    def update(self, ref: Ref, changes: Changes) -> Item:
        """Change fields. Returns the record as it is then. Raises NotFound."""
        return self._update(ref, update_of({"updated_at": self._now(), **changes}), Attr("id").exists())

    def update_if(self, ref: Ref, expected: Changes, changes: Changes) -> bool:
        """Change fields if these still have the values that were read (None: absent). Returns whether; False too where there is no
        record."""
        condition = Attr("id").exists()
        for name, value in expected.items():
            is_same = Attr(name).eq(value)
            condition &= Attr(name).not_exists() | is_same if value is None else is_same
        try:
            self._update(ref, update_of({"updated_at": self._now(), **changes}), condition)
        except NotFound:
            return False
        return True

    def add(self, ref: Ref, field: str, amount: int) -> Item:
        """Count: no count of another instance is lost. Returns the record as it is then. Raises NotFound."""
        return self._update(ref, addition_of(field, amount, self._now()), Attr("id").exists())

    def move_stage(self, ref: Ref, stage: str) -> Item:
        """Move the record to another stage. Raises NotFound."""
        return self.update(ref, {self._entity.stage: stage})

    def change_created_at(self, ref: Ref, created_at: str) -> Ref:
        """Correct the time of creation. Raises NotFound."""
        return ref_of(self.update(ref, {"created_at": created_at}))

    def delete(self, ref: Ref) -> None:
        """Raises NotFound."""
        try:
            self._table.delete_item(Key=self._key(ref.id), ConditionExpression=Attr("id").exists())
        except ClientError as error:
            raise meant(error, NotFound(ref.id)) from error

    def list_by_stage(self, stage: str) -> list[Item]:
        """All records at a stage. The table has no index for it: this reads everything."""
        wanted = Attr("entity_type").eq(self._entity.name) & Attr(self._entity.stage).eq(stage)
        items = every_page(self._table.scan, FilterExpression=wanted)
        return [without(item, self.hidden) for item in items]

    def _update(self, ref: Ref, request: Item, condition: ConditionBase) -> Item:
        try:
            answer = self._table.update_item(
                Key=self._key(ref.id), ConditionExpression=condition, ReturnValues="ALL_NEW", **request
            )
        except ClientError as error:
            raise meant(error, NotFound(ref.id)) from error
        return without(answer["Attributes"], self.hidden)

    def _key(self, identity: str) -> Item:
        return {"pk": f"{self._entity.name}#{identity}", "sk": "METADATA"}


def without(item: Item, names: frozenset[str]) -> Item:
    """The item less the attributes of these names."""
    return {name: value for name, value in item.items() if name not in names}


def update_of(changes: Changes) -> Item:
    """The arguments of an UpdateItem request that sets these attributes, and removes those that are None."""
    names = {f"#{n}": name for n, name in enumerate(changes)}
    values = {f":{n}": value for n, value in enumerate(changes.values()) if value is not None}
    sets = [f"#{n} = :{n}" for n, value in enumerate(changes.values()) if value is not None]
    removes = [f"#{n}" for n, value in enumerate(changes.values()) if value is None]
    clauses = [f"{verb} {', '.join(terms)}" for verb, terms in (("SET", sets), ("REMOVE", removes)) if terms]
    request = {"UpdateExpression": " ".join(clauses), "ExpressionAttributeNames": names}
    return {**request, "ExpressionAttributeValues": values} if values else request


def addition_of(field: str, amount: int, now: str) -> Item:
    """The arguments of an UpdateItem request that adds to an attribute, 0 where it is absent."""
    return {
        "UpdateExpression": "SET #u = :u ADD #a :a",
        "ExpressionAttributeNames": {"#u": "updated_at", "#a": field},
        "ExpressionAttributeValues": {":u": now, ":a": amount},
    }


def every_page(operation: Any, **request: Any) -> list[Item]:
    """The items of all pages of a Scan or Query."""
    answer = operation(**request)
    items = list(answer["Items"])
    while "LastEvaluatedKey" in answer:
        answer = operation(**request, ExclusiveStartKey=answer["LastEvaluatedKey"])
        items += answer["Items"]
    return items


def meant(error: ClientError, meaning: Exception) -> Exception:
    """The error that a refused condition means; any other error as it is."""
    return meaning if error.response["Error"]["Code"] == "ConditionalCheckFailedException" else error
