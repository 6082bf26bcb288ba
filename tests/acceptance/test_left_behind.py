"""A rollback while a v2 write cannot be carried: it names the key, refuses, and goes back only with the number of the keys."""

import subprocess
from pathlib import Path

import pytest

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items, text
from tests.acceptance.command_line import COMMAND, LASTING, QUICK, CommandLine, ended, until

pytestmark = [pytest.mark.local, pytest.mark.slow]

SETTINGS = QUICK | {
    "TABLESPLIT_LEASE_SECONDS": "2",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "2",
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0.5",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
    "TABLESPLIT_GATE_QUIET_SECONDS": "1",
    "TABLESPLIT_VERIFY_SECONDS": "5",
}


def typed(cli: CommandLine, *words: str) -> tuple[int, str, str]:
    """A command as an operator types it: its exit status, and what it prints."""
    done = subprocess.run(
        [*COMMAND, *words], env=cli.environment() | LASTING, capture_output=True, text=True, timeout=180
    )
    return done.returncode, done.stdout, done.stderr


def test_a_write_that_the_old_table_never_gets_is_named_before_a_rollback_and_after_it(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(own_dynamodb_local, table_prefix, tmp_path, SETTINGS)
    cli.make_old_table(old_items(30))
    cli.run("full-migration")
    with ended(cli.start("sync", "--no-http")):
        cli.run("cutover", "--yes", "--wait", "120")
        lost = next(item for item in cli.scan("DEALS_TABLE") if "id" in item)
        cli.dynamodb.put_item(
            TableName=cli.table("DEALS_TABLE"), Item={**lost, "created_at": text("1999-01-02T03:04:05.000Z")}
        )
        until(lambda: cli.ask("status")["quarantine"], within=60, otherwise=lambda: cli.stderr_of("sync"))
        until(lambda: differing(cli) == 1, within=60, otherwise=lambda: cli.stderr_of("sync"))

        refused, out, err = typed(
            cli, "rollback", "--yes", "--wait", "20", "--force", "quarantine", *again("quarantine")
        )
        assert (refused, state_of(cli)) == (1, "dual")
        assert names(out, cli.table("DEALS_TABLE"), lost)
        assert "tablesplit rollback --leave-behind 2" in err

        wrong = cli.run("rollback", "--yes", "--leave-behind", "1", status=1)
        assert (wrong["left_behind"]["count"], state_of(cli)) == (2, "dual")

        status, out, err = typed(cli, "rollback", "--yes", "--wait", "60", "--leave-behind", "2", "--why", "release 12")
        assert status == 0, err
        assert "2 keys are left behind: the old table does not have everything that was written there" in out
        assert names(out, cli.table("DEALS_TABLE"), lost)
        assert state_of(cli) == "forward"
        begun = next(record for record in cli.ask("audit", "list")["items"] if record["facts"].get("left_behind"))
        assert (begun["why"], begun["facts"]["left_behind_by_cause"]) == (
            "release 12",
            {"quarantine": 1, "verification": 1},
        )


def names(out: str, table: str, item: Item) -> bool:
    """Whether one line names the item's key on v2, and says that its change is not in the old table."""
    parts = (f"{table} ", f"PK={item['PK']['S']}", f"SK={item['SK']['S']}", "quarantine: 1 of its changes wait, not in")
    return any(all(part in line for part in parts) for line in out.splitlines())


def again(name: str) -> tuple[str, ...]:
    """What confirms an override of the condition."""
    return "--force-again", name, "--yes"


def differing(cli: CommandLine) -> int:
    """How many old keys the verification has found to differ: here that of the item whose v2 key is in quarantine."""
    return int((cli.ask("status")["verification"] or {}).get("differences", 0))


def state_of(cli: CommandLine) -> str:
    return str(cli.ask("status")["phase"])
