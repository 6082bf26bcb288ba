"""The benchmark: CPU and memory of tablesplit, as ratios against plain boto3 doing the same work in the same run."""
