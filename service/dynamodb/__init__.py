"""DynamoDB as tablesplit uses it: boto3 for the control plane, one small asyncio client for the data
plane."""
