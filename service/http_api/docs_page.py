"""`/docs`: the OpenAPI document as one plain page, which loads nothing from other servers."""

import html
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_docs(api: FastAPI) -> None:
    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = _docs_page(api.openapi())
        return HTMLResponse(page, headers={"Content-Security-Policy": DOCS_POLICY})


def _docs_page(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation['summary'])}</td></tr>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>tablesplit API</title>'
        "<style>body{font:1rem system-ui;max-width:60rem;margin:2rem auto}td{padding:.3rem 1rem .3rem 0}</style>"
        f"<h1>tablesplit API {html.escape(schema['info']['version'])}</h1>"
        f'<p>The full description: <a href="/openapi.json">/openapi.json</a> (OpenAPI). '
        f"Every POST needs <code>Authorization: Bearer &lt;token&gt;</code>.</p><table>{rows}</table></html>"
    )
