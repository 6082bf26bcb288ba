"""The mapping: read and checked once, then applied to every item, from old to v2 and back.

Entry points: ``mapping.load_mapping``, ``transform.forward``, ``transform.v2_place``, ``inverse.inverse``,
``capacity.insert_units``.
"""
