"""Old items of the packaged CRM mapping, as old tables hold them."""

from service.core.item.wire import Item

ENTITIES = ("LEAD", "DEAL", "RESOURCE", "PIPELINE")


def crm_item(entity: str, n: int) -> Item:
    """An item as old tables hold them: some attributes absent, some dirty."""
    item: Item = {
        "pk": {"S": f"{entity}#{n}"},
        "sk": {"S": "METADATA"},
        "entity_type": {"S": entity},
        "id": {"S": str(n)},
        "created_at": {"S": f"202{n % 5}-0{n % 9 + 1}-03T04:05:06Z"},
        "it's odd": {"SS": [f"{n}", "a"]},
    }
    dirty: Item = {"created_at": {"S": "yesterday"}, "followers": {"S": "1,054"}, "company": {"S": ""}}
    return item | dirty if n % 3 == 0 else item


def crm_items(count: int) -> list[Item]:
    return [crm_item(ENTITIES[n % 4], n) for n in range(count)]
