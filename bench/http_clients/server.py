"""Answers every request with the same 1 KB. ``python -m bench.http_clients.server [CERTIFICATE KEY]`` prints its port."""

import asyncio
import ssl
import sys
import zlib

import orjson

from bench.memory.connection import Connection

CONTENT = orjson.dumps({"Attributes": {"text": {"S": "x" * 980}}})
HEADERS = (
    "Server: Server",
    "Date: Thu, 01 Jan 2026 00:00:00 GMT",
    "Content-Type: application/x-amz-json-1.0",
    f"Content-Length: {len(CONTENT)}",
    "Connection: keep-alive",
    f"x-amzn-RequestId: {'A' * 52}",
    f"x-amz-crc32: {zlib.crc32(CONTENT)}",
)
ANSWER = "\r\n".join(["HTTP/1.1 200 OK", *HEADERS, "\r\n"]).encode() + CONTENT
"""The headers are those of DynamoDB."""


async def serve(certificate: list[str]) -> None:
    """Serve until the process is killed."""
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(lambda *_: ANSWER), "127.0.0.1", 0, ssl=tls
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
