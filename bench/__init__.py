"""The benchmark: CPU and memory of tablesplit, compared with plain boto3 that does the same work in the same run."""
