"""The same work in plain boto3, by tablesplit's own mapping, so that only the client and the pipeline differ."""
