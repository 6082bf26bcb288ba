"""Runs the self-test: all questions at once, each on a table of its own, in a limited time."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version

from service.app import App
from service.errors import Interrupted, Refused, TablesplitError
from service.hosts import is_local
from service.rehearsal.selftest import item_questions, stream_questions
from service.rehearsal.selftest.report import Assumption, Finding, SelfTestReport
from service.rehearsal.selftest.site import Site, own_site

ASK_SECONDS = 450.0
"""The questions end by then. Making tables before and deleting them afterwards takes two minutes at most: ten minutes in all."""


GRACE_SECONDS = 30.0
"""For a question that ends a little later: it may be in the middle of a request."""

LATE = Finding("failed", "no answer in the time allowed")


@dataclass(frozen=True, slots=True)
class Question:
    """An assumption, the rule that rests on it, and how it is asked."""

    name: str
    text: str
    rule: str
    ask: Callable[[Site], Awaitable[Finding]]


QUESTIONS = (
    Question(
        "stream-after-enabling",
        "Every write after DescribeStream says ENABLED is in the stream.",
        "What is scanned is covered by the stream (start order)",
        stream_questions.after_enabling,
    ),
    Question(
        "sequence-order",
        "An item's sequence numbers rise with its writes, and have at most 40 digits.",
        "Newer means: later in the stream",
        stream_questions.order,
    ),
    Question(
        "sequence-order-over-a-split",
        "So they do when a shard splits; its children name it as their parent once it has ended.",
        "A shard is read only after its parent has ended",
        stream_questions.split,
    ),
    Question(
        "read-follows-record",
        "A consistent read that begins after a record was returned sees that write, or a later one.",
        "What the first Scan sees needs no replay, and nothing else is left out",
        stream_questions.reads_follow_records,
    ),
    Question(
        "conditional-writes",
        "Conditions compare strings by their bytes, do not hold for a missing attribute, and a refused write changes nothing.",
        "A change or removal wins only over an older one",
        item_questions.conditions,
    ),
    Question(
        "partiql-statements",
        "Each statement of a batch is made by itself and answered in its place, a refused one by its own code.",
        "A backfill copy never overwrites",
        item_questions.statements,
    ),
    Question(
        "partiql-comparisons",
        "A statement compares maps, lists, sets and what is inside a map as a condition expression does.",
        "An update in a batch leaves what the put would leave",
        item_questions.comparisons,
    ),
    Question(
        "transaction-conflicts",
        "Of transactions that meet, each is made once or refused whole, and says that it met another.",
        "Later changes of that key wait behind it",
        item_questions.transactions,
    ),
    Question(
        "ttl-records",
        "A deletion by TTL is a REMOVE record whose userIdentity is the service dynamodb.amazonaws.com.",
        "A deletion by TTL is carried, and is nobody's write",
        stream_questions.expiry,
    ),
)


async def run_selftest(app: App, *, aws: bool, seconds: float, stop: asyncio.Event) -> SelfTestReport:
    """Ask every question for at most ``seconds``. Its tables are deleted at the end, whatever happens.

    Raises Refused for an endpoint of AWS without ``aws``, Interrupted when ``stop`` is set meanwhile, Fatal when a table is left.
    """
    local = is_local(app.settings.endpoint_url)
    if not (aws or local):
        raise Refused(
            "the endpoint is one of AWS: the self-test makes tables there, for up to ten minutes and less than a US dollar",
            remedy="give it with --aws, or set AWS_ENDPOINT_URL to a local server",
        )
    began = app.clock.monotonic()
    async with own_site(app, seconds) as site:
        findings = await _asked(site, stop)
    return SelfTestReport(
        [Assumption(q.name, q.text, q.rule, finding) for q, finding in zip(QUESTIONS, findings, strict=True)],
        server="local" if local else "AWS",
        region=app.settings.aws_region,
        version=version("tablesplit"),
        seconds=app.clock.monotonic() - began,
    )


async def _asked(site: Site, stop: asyncio.Event) -> list[Finding]:
    asked = [asyncio.create_task(_asked_one(site, question)) for question in QUESTIONS]
    stopped = asyncio.create_task(stop.wait())
    answers = asyncio.ensure_future(asyncio.wait(asked, return_when=asyncio.FIRST_EXCEPTION))
    try:
        await asyncio.wait({answers, stopped}, timeout=site.left + GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopped, answers, *asked):
            task.cancel()
        await asyncio.gather(stopped, answers, *asked, return_exceptions=True)
    if stop.is_set():
        raise Interrupted("stopped on the way: the self-test's tables are deleted", remedy="give the command again")
    return [LATE if task.cancelled() else task.result() for task in asked]


async def _asked_one(site: Site, question: Question) -> Finding:
    try:
        return await question.ask(site)
    except TablesplitError as error:
        return Finding("failed", _anonymous(error.message.replace(site.prefix, "")))


def _anonymous(message: str) -> str:
    """The message without what names an account: ARNs and account numbers, which a refused permission has."""
    return re.sub(r"\d{12}", "(account)", re.sub(r"arn:[^\s,;]+", "(arn)", message))
