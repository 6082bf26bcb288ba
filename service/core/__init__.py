"""The rules about the data: pure functions on DynamoDB's wire form. No I/O, no clock, no logging, no environment."""
