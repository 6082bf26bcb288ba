"""A sample of a table: items from random segments of a parallel Scan. What is read grows with the sample, not with the table."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from random import Random

from service.core.item.wire import Item, key_text
from service.validation.reader import Reader

SEGMENT_COUNTS = (65_536, 4_096, 256, 16)
"""Numbers of segments to try, the largest first: a segment of a small table may be empty, and a segment of a large table may be
too large to read. DynamoDB assigns items to segments by a hash of the partition key (at most 1,000,000 segments), so a random
segment holds random items."""

SEGMENTS_TRIED = 16
WHOLE_TABLE_PAGES = 256
"""Pages read from the start of the table when the random segments did not hold enough items of some entity."""


async def sample(
    reader: Reader,
    table: str,
    *,
    each: int,
    entities: Iterable[str],
    entity: Callable[[Item], str | None],
    random: Random,
) -> AsyncIterator[list[Item]]:
    """Yield pages of distinct items, until ``each`` items of each of ``entities`` were yielded, or nothing is left to read.

    ``entity`` gives the entity of an item, or None.
    """
    wanted = Counter(dict.fromkeys(entities, each))
    seen: set[str] = set()
    async for items in _pages(reader, table, random):
        chosen = []
        for item in items:
            name, key = entity(item), key_text(reader.key(table, item))
            if name is not None and wanted[name] > 0 and key not in seen:
                wanted[name] -= 1
                seen.add(key)
                chosen.append(item)
        if chosen:
            yield chosen
        if not +wanted:
            return


async def _pages(reader: Reader, table: str, random: Random) -> AsyncIterator[list[Item]]:
    for segments in SEGMENT_COUNTS:
        for segment in random.sample(range(segments), min(segments, SEGMENTS_TRIED)):
            yield (await reader.scan_page(table, segment=segment, segments=segments, start=None)).items
    start: Item | None = None
    for _ in range(WHOLE_TABLE_PAGES):
        page = await reader.scan_page(table, segment=0, segments=1, start=start)
        yield page.items
        start = page.last_key
        if start is None:
            return
