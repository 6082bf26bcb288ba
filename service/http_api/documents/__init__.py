"""The documents that the HTTP side answers with, as the OpenAPI document describes them.

They are never made from these models: the values' own `to_json` makes them, as it does for the command line. A test holds every
answer of a running server to these schemas, and these to every answer.
"""
