"""The self-test: asks a server, AWS above all, whether what the design assumes about DynamoDB holds there.

Entry point: ``run.run_selftest``.
"""
