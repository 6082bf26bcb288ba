"""Reading a DynamoDB Stream: one protocol, and the engines that keep it."""
