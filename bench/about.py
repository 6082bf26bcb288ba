"""What the page says about the figures."""

ABOUT = """\
Written by `make bench`.

Three programs do the same work with the same mapping in the same run:

- **tablesplit**, composed as in production: its commands' own code, metrics with their labels, and every record of the control
  table written to the server.
  The stream is read with GetRecords, by `sync` with both lanes.
- **single boto3** (`bench/boto/single.py`): client level, pages, one conditional put for each item, BatchGetItem for reads.
  It is what a careful script looks like at first.
- **batched boto3** (`bench/boto/batched.py`): the same guarantees with 25 PartiQL statements in a request: an INSERT that a taken
  key refuses, an UPDATE over an older version only.
  It is what one can make of boto3 by hand.

A ratio is the CPU of the baseline's process for an item, divided by that of tablesplit's: how many times more it takes.
Against single boto3 it says what a usual script would cost.
Against batched boto3 it says what is left when the number of requests is the same.

All that is read, items and changes, is there before the clock starts.
The baselines retry what is throttled and save how far they have read the stream.
They have no report, no inverse check, no metrics, no lease and no quarantine.
They work on fewer items, since boto3 costs the same for every item and takes long.
Their clock begins after their start; that of tablesplit has the start of a backfill, a validation or a `sync`: 0.3 to 0.5 s of CPU.
CPU is the least of several runs by turns: anything above it comes from other work of the machine.
Items a second depend on the machine, and on what else it does: compare them within one table."""

MISSED = """\
What stands in the way of the goals that are not reached:

- **CPU of the client**: no one part of it, see [where the client's time goes](#where-the-clients-time-goes).
  The mapping alone, which boto3's programs run too, is a part that no client can save.
- **CPU of a change in `dual`**: it is decided by the ledger's entry, both items and what waits, unit by unit.
  A claim is written before each write, so that a crash loses nothing and counts nothing twice; boto3's program has none of this.
- **Lag**: the application, `sync`, the server and the reader share the processors of one machine.
  A shard is read four times a second, and a page is read only when the one before is applied.
- **CPU of `status`**: the start of Python, asyncio, click and pydantic."""

CLIENT = """\
Reads, writes and the old table's stream are answered from memory, so that the server costs the client nothing but waiting.
The control table is kept by a DynamoDB Local behind that server.
v2's streams have no records here: what the reverse lane reads in `forward` is part of the figures on DynamoDB Local."""

PROFILE = """\
What the mapping takes of an item's CPU by itself, boto3's programs take too: they map by the same code.
So no program that maps an item in Python has a better ratio than the CPU of boto3's program divided by this.

The second table has the shares of the CPU of the same work under Python's profiler, without waiting.
It makes each call of a Python function dearer than it is: read it as what a part takes at most.
Nothing here is one thing that could go: the items are taken apart and put together in Python, and each costs some hundred calls."""

TLS = "The same over TLS, with a certificate of an authority that is made for the run."

MEMORY = "The items are made when they are asked for; the peak is that of the process from its start."

LOCAL = """\
The raw ceiling is what the server makes of the very requests by which tablesplit writes these items.
They are recorded before; a loader with next to no work of its own sends them, on 16 connections.
The share is tablesplit's items a second divided by the ceiling's.
tablesplit reads the items besides, and shares the processors with the server.
Each run has a server of its own, just started: with each record in its streams DynamoDB Local becomes slower."""

DUAL = """\
The application changes a table, and tablesplit carries the changes to the other side.
The lane of that side passes what was written.
The memory server has no transactions, so this is on DynamoDB Local.
CPU is that of the sinks, the client and the metrics: the streams were read before.

boto3 (`bench/boto/dual.py`) does what any such program must do at least: for each change it reads the item's record in a ledger,
and writes record and item in one transaction, if the record is as it was read.
It settles no conflict between the two sides and merges nothing, so the ratio is in its favour."""

DUAL_CEILING = """\
Each change is its item's first in `dual`.
The raw ceiling is what a server in the same state makes of the very requests of both lanes, sent on 16 connections.
Where two of them meet in another order than before, one is refused: at most a few of a hundred."""

LAG = """\
The lag is the time from the answer to a write of the application until a read of v2 shows it, on one clock.
What the server carries is measured first: the application's update and tablesplit's requests under the rule, as prepared bytes.
Application, `sync` and reader run beside the server on the same processors."""

WORKERS = "Each worker is a `tablesplit migrate` of its own, its start included; the server takes a processor, too."

STARTUP = "The least of several runs; `status` asks a DynamoDB Local."
