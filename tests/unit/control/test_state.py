"""The migration's record: begun once, bound to its mapping and old table, generations only grow."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.control.state import change_state, in_forward, load_state, with_stream
from service.control.table import ControlTable
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.errors import Fatal, Misconfigured
from tests.fakes.memory import MemoryDynamoDB


def mapping(content_hash: str = "aa", table: str = "old") -> Mapping:
    return cast(Mapping, SimpleNamespace(name="crm", hash=content_hash, old=SimpleNamespace(table=table)))


@pytest.fixture
def control() -> ControlTable:
    store = MemoryDynamoDB()
    store.create_table("control", ["pk", "sk"])
    return ControlTable(store, "control")


async def start(control: ControlTable) -> None:
    await change_state(control, mapping(), 5.0, lambda state: in_forward(with_stream(state, "arn1"), 5.0))


async def test_there_is_no_state_before_the_start(control: ControlTable) -> None:
    assert await load_state(control, mapping()) is None


async def test_the_state_survives(control: ControlTable) -> None:
    await start(control)
    state = await load_state(control, mapping())
    assert state is not None
    assert (state.phase, state.phase_since, state.generation, state.old_table) == ("forward", 5.0, 1, "old")


async def test_forward_keeps_its_beginning_when_entered_again(control: ControlTable) -> None:
    await start(control)
    state = await change_state(control, mapping(), 9.0, lambda state: in_forward(state, 9.0))
    assert state.phase_since == 5.0


async def test_a_new_stream_gets_the_next_generation_and_a_known_one_keeps_its_own(
    control: ControlTable,
) -> None:
    await start(control)
    state = await change_state(control, mapping(), 6.0, lambda state: with_stream(state, "arn2"))
    assert state.generation == 2
    assert with_stream(state, "arn2") == state
    assert with_stream(state, "arn1").generation == 1


async def test_no_stream_no_generation(control: ControlTable) -> None:
    state = await change_state(control, mapping(), 1.0, lambda state: state)
    with pytest.raises(Fatal, match="no stream position has been saved"):
        _ = state.generation


async def test_a_changed_mapping_stops_once_anything_may_be_written(control: ControlTable) -> None:
    await start(control)
    with pytest.raises(Fatal, match="the migration was begun with mapping aa, but crm is bb") as stopped:
        await load_state(control, mapping("bb"))
    assert "TABLESPLIT_MAPPING" in stopped.value.remedy


async def test_a_changed_mapping_is_taken_while_nothing_has_started(control: ControlTable) -> None:
    await change_state(control, mapping("aa"), 1.0, lambda state: state)
    state = await load_state(control, mapping("bb"))
    assert state is not None
    assert state.mapping_hash == "bb"


async def test_the_control_table_of_another_old_table_is_refused(control: ControlTable) -> None:
    await start(control)
    with pytest.raises(Misconfigured, match="control table control belongs to old table old, not other"):
        await load_state(control, mapping(table="other"))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{}", "phase: Field required"),
        ('{"phase": "halfway"}', "phase: Input should be 'prepare', 'forward', 'dual', 'reverse' or 'complete'"),
        ('{"phase": "forward", "phase_since": "yesterday"}', "phase_since: Input should be a valid number"),
    ],
)
async def test_an_edited_state_stops_with_the_remedy(control: ControlTable, document: str, reason: str) -> None:
    item: dict[str, Any] = {
        "pk": {"S": "state"},
        "sk": {"S": "migration"},
        "document": {"S": document},
        "rev": {"S": "x"},
    }
    await control.store.write(Put("control", item))
    with pytest.raises(Fatal) as stopped:
        await load_state(control, mapping())
    assert stopped.value.message == f"control table control: record state/migration is damaged ({reason})"
    assert "drop-tables" in stopped.value.remedy
