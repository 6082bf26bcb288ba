"""`tablesplit mapping init` on DynamoDB Local: the draft of a table, for which no setting but the table's name is needed."""

import pytest

from service.core.item.wire import Item
from service.core.mapping.mapping import load_mapping
from service.rehearsal.demo.items import text
from tests.acceptance.in_process import World

pytestmark = pytest.mark.local


def user(identity: str) -> Item:
    return {"pk": text(f"USER#{identity}"), "sk": text("PROFILE"), "id": text(identity)}


@pytest.fixture
def old(world: World) -> World:
    """Five users in the old table."""
    world.make("OLD_TABLE_NAME")
    for number in range(5):
        world.dynamodb.put_item(TableName=world.name("OLD_TABLE_NAME"), Item=user(f"{number}x"))
    return world


def test_the_variable_may_name_the_file_that_is_yet_to_be_drafted(old: World) -> None:
    file = old.folder / "mine.yaml"
    old.set(TABLESPLIT_MAPPING=str(file))
    result = old.run("mapping", "init", "--output", str(file))
    assert result.status == 0, result.err
    mapping = load_mapping(file.read_text(), source="draft")
    assert (mapping.old.table, list(mapping.entities)) == (old.name("OLD_TABLE_NAME"), ["user_profile"])
    assert old.run("mapping", "init").status == 0


def test_any_other_command_refuses_a_mapping_that_is_not_there(old: World) -> None:
    old.set(TABLESPLIT_MAPPING=str(old.folder / "none.yaml"))
    result = old.run("preflight")
    assert result.status == 2
    assert "none.yaml: No such file or directory" in result.line
