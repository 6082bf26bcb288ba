"""What the client alone costs: a server that answers from memory, over TCP and over TLS."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import site
from bench.facts import Facts
from bench.measure import WORK, Run, measured
from bench.parts.comparison import note_ratios, rows
from bench.servers import memory_server
from service.rehearsal.servers.local_servers import dynamodb_local
from tests.fakes.certificates import Authority, private_authority

ITEMS = {"ours": 30_000, "single": 2_000, "batched": 4_000}
"""boto3 costs the same for every item, and takes long: so it works on fewer. tablesplit's start costs as much as some thousand
items, and boto3's clock begins after its own."""

ROUNDS, TLS_ROUNDS = 2, 2
TLS_WORK = ("copy", "apply")

CLIENT = f"The client alone: {ITEMS['ours']:,} items, a server that answers from memory"
TLS = f"The client alone, over TLS: {ITEMS['ours']:,} items"


def over_tcp(facts: Facts) -> list[str]:
    """All work over TCP."""
    with servers(None) as urls:
        runs = compared(urls, tuple(WORK), ROUNDS, None)
    note_ratios(facts, runs, tuple(WORK))
    return rows(runs, tuple(WORK))


def over_tls(_: Facts) -> list[str]:
    """The writing work over TLS."""
    with tempfile.TemporaryDirectory() as folder:
        authority = private_authority(Path(folder))
        with servers(authority) as urls:
            return rows(compared(urls, TLS_WORK, TLS_ROUNDS, authority), TLS_WORK)


@contextmanager
def servers(authority: Authority | None) -> Iterator[dict[str, str]]:
    """The URL of each program's server. All keep the control table in one DynamoDB Local."""
    with dynamodb_local() as other:
        site.make(other, site.Site())
        with (
            memory_server(ITEMS["ours"], other, authority=authority) as ours,
            memory_server(ITEMS["single"], other, authority=authority) as single,
            memory_server(ITEMS["batched"], other, authority=authority) as batched,
        ):
            yield {"other": other, "ours": ours, "single": single, "batched": batched}


def compared(urls: dict[str, str], work: Sequence[str], rounds: int, authority: Authority | None) -> list[Run]:
    """Runs of every program by turns. Each round begins with a migration that has just been started."""
    runs = []
    for _ in range(rounds):
        site.make(urls["other"], site.Site())
        for one in work:
            runs += [measured(program, one, urls[program], items, authority) for program, items in ITEMS.items()]
    return runs
