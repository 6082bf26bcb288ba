"""DynamoDB items, and conditional writes of them, as values in DynamoDB's own JSON.

Entry points: ``wire.Item``, ``change.parse_record``, ``compare.equal``, ``stamp.stamped``, ``stamp.decode_stamp``,
``write.Put`` and its siblings, ``json_text.item_from_json``.
"""
