"""The old table of the demonstration: real sales figures, in the shapes that a CRM's table holds after some years of use."""

import csv
import json
from collections.abc import Iterator
from importlib.resources import files

from service.core.item.wire import AttributeValue, Item

Row = dict[str, str]

STAGES = ("Prospecting", "Engaging", "Won", "Lost")


def old_items(opportunities: int) -> Iterator[Item]:
    """Every pipeline, resource and lead, then the first ``opportunities`` deals, as items of the old table."""
    yield pipeline()
    yield from (resource(number, row) for number, row in enumerate(_rows("products.csv")))
    yield from (account_lead(number, row) for number, row in enumerate(_rows("accounts.csv")))
    yield from (agent_lead(number, row) for number, row in enumerate(_rows("sales_teams.csv")))
    for number, row in enumerate(_rows("sales_pipeline.csv")):
        if number == opportunities:
            return
        yield deal(number, row)


def _rows(name: str) -> Iterator[Row]:
    with (files("service.rehearsal.demo") / "crm-sales" / name).open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _item(entity: str, identity: str, attributes: dict[str, AttributeValue | None]) -> Item:
    key = {
        "pk": text(f"{entity}#{identity}"),
        "sk": text("METADATA"),
        "entity_type": text(entity),
        "id": text(identity),
    }
    return key | {name: value for name, value in attributes.items() if value is not None}


def text(value: str) -> AttributeValue:
    """A string attribute."""
    return {"S": value}


def number(value: int | str) -> AttributeValue:
    """A number attribute."""
    return {"N": str(value)}


def _given(value: str) -> AttributeValue | None:
    return text(value) if value else None


def deal(index: int, row: Row) -> Item:
    """An opportunity. Value and date take the shapes below in turn; product, close date and others have no field in the mapping."""
    return _item(
        "DEAL",
        row["opportunity_id"],
        {
            "title": _given(f"{row['account']}: {row['product']}" if row["account"] and index % 5 else ""),
            "company": text(row["account"]) if row["account"] or index % 2 else None,
            "stage": text(row["deal_stage"].lower()) if index % 11 else text(""),
            "owner": text(row["sales_agent"]),
            "value": _money(index, row["close_value"]),
            "created_at": _date(index, row["engage_date"]),
            "product": text(row["product"]),
            "close_date": _given(row["close_date"]),
            "won": {"BOOL": row["deal_stage"] == "Won"},
            "history": {"L": [{"M": {"stage": text(row["deal_stage"]), "step": number(index % 4)}}]},
        },
    )


def _money(index: int, amount: str) -> AttributeValue | None:
    if not amount:
        return None if index % 2 else {"NULL": True}
    shapes = (number(amount), text(amount), text(f"{int(amount):,}"), text(f' "{amount}" '))
    return shapes[index % len(shapes)]


def _date(index: int, day: str) -> AttributeValue | None:
    if not day:
        return None if index % 2 else text("yesterday")
    shapes = (text(day), text(f"{day}T09:30:00Z"), text(f"{day}T01:15:00+10:00"), text(f"{day}T12:00:00.000Z"))
    return shapes[index % len(shapes)]


def account_lead(index: int, row: Row) -> Item:
    """A customer as a lead; revenue, office and others have no field in the mapping."""
    return _item(
        "LEAD",
        f"account-{index:03d}",
        {
            "name": text(row["account"]),
            "company": text(row["account"]),
            "status": text("customer") if index % 4 else None,
            "bio_match": (number(index), text(str(index)), text("n/a"))[index % 3],
            "followers": (number(row["employees"]), text(f"{int(row['employees']):,}"))[index % 2],
            "tags": _tags(index, [row["sector"], row["office_location"]]),
            "source": _given("maven" if index % 2 else ""),
            "created_at": text(f"{row['year_established']}-01-01T00:00:00Z"),
            "revenue": number(row["revenue"]),
            "office_location": text(row["office_location"]),
            "subsidiary_of": text(row["subsidiary_of"]),
            "regions": {"SS": sorted({row["office_location"], "global"})},
            "custom_fields": {"M": {"imported": {"BOOL": True}}},
        },
    )


def _tags(index: int, tags: list[str]) -> AttributeValue:
    shapes: tuple[AttributeValue, ...] = (
        {"L": [text(tag) for tag in tags]},
        text(json.dumps(tags)),
        text(json.dumps([text(tag) for tag in tags])),
        text(", ".join(tags)),
        {"SS": sorted(set(tags))},
        text(""),
    )
    return shapes[index % len(shapes)]


def agent_lead(index: int, row: Row) -> Item:
    """A sales agent, stored as a lead, as happens in such tables."""
    return _item(
        "LEAD",
        f"agent-{index:03d}",
        {
            "name": text(row["sales_agent"]),
            "status": text("agent"),
            "region": text(row["regional_office"]),
            "reports_to": text(row["manager"]),
            "pipeline_id": text("sales"),
            "updated_at": text("2017-12-31T23:59:59Z") if index % 2 else None,
        },
    )


def resource(index: int, row: Row) -> Item:
    """A product's price sheet; series and price have no field in the mapping and stay at the top level."""
    return _item(
        "RESOURCE",
        f"price-sheet-{index}",
        {
            "name": text(f"Price sheet {row['product']}"),
            "category": text("pricing") if index % 3 else None,
            "size": text(f"{1024 * (index + 1):,}"),
            "version": number(index + 1),
            "sync_status": text("synced"),
            "created_at": text("2016-10-01"),
            "series": text(row["series"]),
            "sales_price": number(row["sales_price"]),
            "PK": text("a name that the v2 tables use"),
        },
    )


def pipeline() -> Item:
    """The only pipeline; its stages are DynamoDB JSON in a text, and its flag is a text."""
    stages = [
        {"M": {"id": text(stage.lower()), "name": text(stage), "order": number(order)}}
        for order, stage in enumerate(STAGES)
    ]
    return _item(
        "PIPELINE",
        "sales",
        {
            "name": text("Sales"),
            "is_default": text("True"),
            "stages": text(json.dumps(stages)),
            "created_at": text("2016-09-30T22:00:00-05:00"),
        },
    )
