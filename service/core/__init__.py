"""Pure rules about items and phases: no I/O, no clock, no log, no environment, no randomness.

- ``item``: DynamoDB items, stamps and conditional writes as values
- ``mapping``: the mapping file; from an old item to a v2 item and back
- ``rules``: what is written for a change, a backfill copy, a repair; how both sides are compared
- ``phases``: the phases, the moves between them, and their gates
- ``shards``: the tree of a stream's shards, and how far each has been read
"""
