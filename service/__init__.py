"""tablesplit's long-running service and command line: moves a live DynamoDB single table into v2 tables."""
