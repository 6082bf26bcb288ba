"""A mapping with key attributes of every type, and an index with several attributes in both parts of its key; and old items."""

from service.core.item.wire import Item

TYPED_TEXT = """
version: 1
name: typed
old:
  table: {variable: OLD, default: old}
  partition_key: device
  sort_key: at
  entity: kind
  key_types: {device: binary, at: number}
entities:
  READING:
    table: {variable: READINGS, default: readings}
    old_key: {device: "{id}", at: "{time}"}
    key: {PK: "{id}", SK: "{time}"}
    indexes:
      BySite: {site_key: "{site}", level_key: "{level}", day_key: "{day}", time_key: "{time}", SK: "{time}", PK: "{id}"}
      ByLevel: {level_key: "{level}", BID: "{id}"}
    partition_attributes: {BySite: 2}
    key_types: {PK: binary, SK: number, level_key: number, time_key: number, BID: binary}
    unmapped: keep
    fields:
      id: {type: binary, required: true}
      time: {type: number, required: true}
      site: {type: string, default: none}
      day: {type: string, default: "1970-01-01"}
      level: {type: int, default: 0}
"""
DEVICES = ["AAE=", "/+8=", "Zm9v"]


def reading(device: str, time: str, **more: dict[str, str]) -> Item:
    """An old item: a device's reading at a time."""
    key = {"device": {"B": device}, "at": {"N": time}}
    return {**key, "kind": {"S": "READING"}, "id": {"B": device}, "time": {"N": time}, **more}


def readings() -> list[Item]:
    """Times on both sides of zero, whole and broken, and some with a site and a level."""
    times = ["-1.5", "0", "42", "1700000000.123", "12345678901234567890"]
    return [
        reading(device, time, site={"S": f"s{number % 2}"}, level={"N": str(number)}, note={"S": "x"})
        for device in DEVICES
        for number, time in enumerate(times)
    ]
