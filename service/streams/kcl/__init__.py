"""The stream engine on the Kinesis Client Library: many workers read the shards of a stream, each those that it has leased."""
