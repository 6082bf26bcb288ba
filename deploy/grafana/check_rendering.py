"""`python -m deploy.grafana.check_rendering [URL [TOKEN [SOURCE]]]`: checks that each panel of our dashboards has data.

It asks Grafana for the dashboards and for the values of each query, as the browser does, so the data source is checked, too. Exit
status 0: each panel has data; 1: some have none (they are listed); 2: Grafana does not answer, or does not have the dashboards.
It needs Python alone. The default URL is that of docker-compose.yml's Grafana, which everybody may read; for another one give
a service account's token, and where its data source is not called tablesplit, that one's uid. All migrations are asked for.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

DEFAULT = "http://127.0.0.1:3000"
SECONDS = 30


class Grafana:
    """Grafana's HTTP API for a viewer: with ``token``, or anonymous."""

    def __init__(self, url: str, token: str | None = None, source: str = "tablesplit") -> None:
        """``source``: the uid of the data source that is asked."""
        self._url = url.rstrip("/")
        self._source = source
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def dashboards(self) -> list[Any]:
        """The JSON of our dashboards in Grafana."""
        entries = self._request("/api/search?type=dash-db&tag=tablesplit")
        return [self._request(f"/api/dashboards/uid/{entry['uid']}")["dashboard"] for entry in entries]

    def values(self, target: dict[str, Any]) -> int | None:
        """How many values a panel's query gives for the last half hour, NaN included. None: the query fails."""
        query = {**target, "intervalMs": 15_000, "maxDataPoints": 120}
        # what the browser puts in for the dashboard's variables
        query["expr"] = target["expr"].replace("$migration", ".*")
        query["datasource"] = {"type": "prometheus", "uid": self._source}
        try:
            answer = self._request("/api/ds/query", {"queries": [query], "from": "now-30m", "to": "now"})
        except OSError:
            return None
        frames = answer["results"][target["refId"]].get("frames", [])
        return sum(len(column) for frame in frames for column in frame["data"]["values"][1:])

    def _request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, content, self._headers)  # noqa: S310 - the user names it
        with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return json.load(answer)


def empty(grafana: Grafana, dashboards: list[Any]) -> Iterator[str]:
    """One line for each query without a value."""
    for dashboard in dashboards:
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                values = grafana.values(target)
                if not values:
                    reason = "the query fails" if values is None else "no data"
                    yield f"{dashboard['title']} / {panel['title']}: {reason}: {target['expr']}"


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit status."""
    url = arguments[0] if arguments else DEFAULT
    grafana = Grafana(url, *arguments[1:3])
    try:
        dashboards = grafana.dashboards()
    except (OSError, ValueError) as error:
        print(f"{url}: Grafana does not answer: {error}", file=sys.stderr)
        return 2
    if not dashboards:
        print(f"{url}: no dashboard with the tag tablesplit: is deploy/grafana/provisioning mounted?", file=sys.stderr)
        return 2
    lines = list(empty(grafana, dashboards))
    print("\n".join(lines) if lines else f"{len(dashboards)} dashboards: every panel has data")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
