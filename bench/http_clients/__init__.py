"""What one request costs in CPU with each HTTP client that the data plane could use, over plain TCP and over TLS.

``python -m bench.http_clients`` prints the table of docs/decisions/http-client.md. Clients that are not installed are left out: the
development environment lacks pycurl, curl_cffi and uvloop.
"""
