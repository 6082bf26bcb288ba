"""A server that answers DynamoDB's requests for items and changes from memory, so that only the client is measured."""
