"""DynamoDB items, and the writes of them, as values."""
