"""The limits of DynamoDB that the simulation applies, each with the page that states it. Units are in the names."""

PARTITION_WRITE_UNITS_PER_SECOND = 1_000.0
PARTITION_READ_UNITS_PER_SECOND = 3_000.0
"""Of one partition, and so of one partition key until it is split
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""

TABLE_WRITE_UNITS_PER_SECOND = 40_000.0
"""The quota of an on-demand table, unless it is raised; each index has the same quota of its own
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html)."""

RECORDS_A_PAGE = 1_000
PAGE_BYTES = 1024**2
"""The most that one GetRecords returns, whichever limit is reached first
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html)."""

SHARD_LIFE_SECONDS = 4 * 3600.0
"""About how long a shard is open before it rolls over
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html)."""

SHARDS_A_LISTING = 100
LISTINGS_PER_SECOND = 10.0
"""Shards in one DescribeStream answer, and the DescribeStream calls that are allowed
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html)."""
