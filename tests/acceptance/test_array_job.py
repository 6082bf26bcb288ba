"""The backfill as an array job with real processes: sixteen jobs at once on DynamoDB Local, and kill -9 among them."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine, until
from tests.acceptance.outside_application import FIELDS, fields_of, key_of, old_items

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]

SIZE = 16
LOST, STARTED_AGAIN = (2, 9), (5, 14)
"""Jobs that are killed in the middle of their slice: some are lost for good, some are started again as AWS Batch does."""
ITEMS = 4_000
WRITE_UNITS = "400"
"""For all jobs together: the table and its index take 2 units for an item, so the whole takes 20 s, and a slice several windows."""
SETTINGS = {
    "TABLESPLIT_LEASE_SECONDS": "20",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "30",
    "TABLESPLIT_HEARTBEAT_SECONDS": "1",
    "TABLESPLIT_SEGMENTS": "1",
    "TABLESPLIT_PAGE_ITEMS": "10",
}


def test_sixteen_jobs_at_once_some_of_them_killed_copy_every_item(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(own_dynamodb_local, table_prefix, tmp_path, dict(SETTINGS))
    cli.make_old_table(old_items(ITEMS))
    cli.run("create-tables")
    jobs = {index: start_job(cli, index) for index in range(SIZE)}
    try:
        for index in (*LOST, *STARTED_AGAIN):
            kill_in_its_slice(cli, index, jobs[index])
        jobs |= {index: start_job(cli, index) for index in STARTED_AGAIN}
        ends = {index: jobs[index].wait(900) for index in jobs if index not in LOST}
    finally:
        for process in jobs.values():
            process.kill()
    assert set(ends.values()) == {0}, f"{ends}\n{cli.stderr_of('migrate')}"
    backfill = cli.ask("status")["backfill"]
    assert (backfill["state"], backfill["items"], backfill["segments_done"]) == ("finished", ITEMS, SIZE)
    copied = {(item["PK"]["S"], item["SK"]["S"]): fields_of(item) for item in cli.scan("DEALS_TABLE")}
    assert copied == {v2_key(number): dict.fromkeys(FIELDS, "start") for number in range(ITEMS)}


def start_job(cli: CommandLine, index: int) -> "subprocess.Popen[bytes]":
    """The job, as AWS Batch starts its container."""
    place = {
        "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
        "AWS_BATCH_JOB_ARRAY_SIZE": str(SIZE),
        "AWS_BATCH_JOB_ID": f"array:{index}",
    }
    return cli.start("migrate", "--max-write-units", WRITE_UNITS, **place)


def kill_in_its_slice(cli: CommandLine, index: int, job: "subprocess.Popen[bytes]") -> None:
    """kill -9 once the job has saved a part of its slice, but not all of it."""
    until(lambda: saved(cli, index) is not None, within=90, otherwise=lambda: cli.stderr_of("migrate"))
    assert saved(cli, index) is False, "the slice was over too soon"
    job.kill()
    job.wait()


def saved(cli: CommandLine, index: int) -> bool | None:
    """Whether the only segment of the slice is done; None while nothing of it is saved."""
    record = cli.dynamodb.get_item(
        TableName=cli.table("TABLESPLIT_CONTROL_TABLE"),
        Key={"pk": {"S": "backfill#segments"}, "sk": {"S": f"segment#{index:05d}"}},
        ConsistentRead=True,
    )
    return bool(json.loads(record["Item"]["document"]["S"])["done"]) if "Item" in record else None


def v2_key(number: int) -> tuple[str, str]:
    key = key_of("v2", number)
    return key["PK"]["S"], key["SK"]["S"]
