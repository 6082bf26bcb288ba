"""Stand-ins for DynamoDB, its streams, clocks and KCL."""
