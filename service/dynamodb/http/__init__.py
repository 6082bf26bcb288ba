"""HTTP/1.1 as the data plane needs it: POST requests over connections that are kept open, straight to an endpoint or by a proxy.

httptools parses the answers, asyncio does TLS. ``pool`` is what the package offers; ``failures`` what it raises. It knows nothing
of DynamoDB and sends nothing twice.
"""
