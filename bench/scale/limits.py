"""DynamoDB's limits that the simulation keeps to, each with the page that states it. Units are in the names."""

PARTITION_WRITE_UNITS_PER_SECOND = 1_000.0
PARTITION_READ_UNITS_PER_SECOND = 3_000.0
"""Of one partition, so of one partition key until it is split
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""

PARTITION_BYTES = 10 * 1024**3
"""About what one partition holds: a larger table has at least so many partitions
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""

TABLE_WRITE_UNITS_PER_SECOND = 40_000.0
"""Quota of an on-demand table, unless raised; each index has the same of its own
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html)."""

RECORDS_A_PAGE = 1_000
PAGE_BYTES = 1024**2
"""What one GetRecords returns at most, whichever comes first
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html)."""

SHARD_LIFE_SECONDS = 4 * 3600.0
"""About how long a shard lives before it rolls over
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html)."""

SHARDS_A_LISTING = 100
LISTINGS_PER_SECOND = 10.0
"""Of one DescribeStream answer, and DescribeStream calls allowed
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html)."""
