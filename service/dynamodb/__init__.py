"""DynamoDB: an asyncio client for items and streams, boto3 for tables. The only package that knows AWS.

Entry points: ``protocol.ItemStore``, ``protocol.StreamStore`` and ``protocol.Fence`` (what the packages above use),
``client.DynamoDBClient.open``, ``tables.Tables``, ``control_plane.ControlPlane``, ``prices.load_prices``.
"""
