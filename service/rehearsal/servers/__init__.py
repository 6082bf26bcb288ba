"""Local DynamoDB servers for the demonstration, the tests and the benchmark.

Entry points: ``local_servers.local_server``, ``local_servers.moto_server``, ``local_servers.dynamodb_local``.
"""
