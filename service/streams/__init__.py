"""Reads a DynamoDB Stream in order, effect before checkpoint, into a ``ShardSink``.

Entry points: ``engine.StreamEngine`` and ``engine.ShardSink`` (the protocols), ``embedded.EmbeddedEngine``,
``kcl.reader.KclEngine``.
"""
