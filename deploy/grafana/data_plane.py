"""The dashboard *Data plane*: what is written, how late, and what DynamoDB answers."""

from deploy.grafana.parts import Board, Panel, Query, Section

RANGE = "[$__rate_interval]"
THROTTLED = '{result="throttled"}'


def _rate(metric: str, *labels: str, only: str = "") -> str:
    """How fast a counter grows, summed up by ``labels``."""
    return f"sum by ({', '.join(labels)}) (rate({metric}{only}{RANGE}))"


def _quantile(share: float, metric: str, label: str) -> str:
    """In seconds, what ``share`` of the observations stay below; NaN where there are none."""
    return f"histogram_quantile({share}, sum by ({label}, le) (rate({metric}_bucket{RANGE})))"


CHANGES = Section(
    "Changes",
    8,
    (
        Panel(
            "graph",
            "Changes by outcome",
            "What became of the changes of the streams, in both directions.",
            "cps",
            "watch",
            (Query(_rate("tablesplit_writes_total", "direction", "outcome"), "{{direction}} {{outcome}}"),),
        ),
        Panel(
            "graph",
            "Age of changes when applied",
            "From the write on one side until it is applied on the other: half, and all but one in a hundred.",
            "s",
            "lag",
            (
                Query(_quantile(0.5, "tablesplit_apply_lag_seconds", "direction"), "{{direction}} half"),
                Query(_quantile(0.99, "tablesplit_apply_lag_seconds", "direction"), "{{direction}} 99 %"),
            ),
            steps=((10, "yellow"), (60, "red")),
        ),
        Panel(
            "graph",
            "Read lag",
            "Age of the newest change that was read: how far reading itself is behind.",
            "s",
            "lag",
            (Query("max by (direction) (tablesplit_read_lag_seconds)", "{{direction}}"),),
            steps=((10, "yellow"), (60, "red")),
        ),
        Panel(
            "graph",
            "Backfill by outcome",
            "Old items: copied, present (a change had written them already), put into quarantine.",
            "cps",
            "slow-down",
            (Query(_rate("tablesplit_backfill_items_total", "outcome"), "{{outcome}}"),),
        ),
        Panel(
            "graph",
            "Tombstones",
            "Tombstones in v2 that were purged, or why they were left.",
            "cps",
            "clean-up",
            (Query(_rate("tablesplit_tombstones_total", "outcome"), "{{outcome}}"),),
        ),
        Panel(
            "graph",
            "Consumed capacity",
            "Capacity units a second, by table.",
            "cps",
            "slow-down",
            (Query(_rate("tablesplit_consumed_capacity_units_total", "table", "kind"), "{{table}} {{kind}}"),),
        ),
    ),
)

REQUESTS = Section(
    "Requests to DynamoDB",
    8,
    (
        Panel(
            "graph",
            "Requests by operation",
            "Every attempt, of all processes.",
            "reqps",
            "slow-down",
            (Query(_rate("tablesplit_requests_total", "operation"), "{{operation}}"),),
        ),
        Panel(
            "graph",
            "Requests that were not answered with ok",
            "condition: a newer write was there, which is as it should be. conflict: another transaction was on the item.",
            "reqps",
            "throttling",
            (Query(_rate("tablesplit_requests_total", "result", only='{result!="ok"}'), "{{result}}"),),
        ),
        Panel(
            "graph",
            "Throttled",
            "Share of the requests that DynamoDB throttled. The alert TablesplitTargetThrottled comes at 5 %.",
            "percentunit",
            "throttling",
            (
                Query(
                    f"{_rate('tablesplit_requests_total', 'job', only=THROTTLED)} / {_rate('tablesplit_requests_total', 'job')}",
                    "{{job}}",
                ),
            ),
            steps=((0.01, "yellow"), (0.05, "red")),
        ),
        Panel(
            "graph",
            "Time of a request",
            "What 99 of 100 stay below, by operation.",
            "s",
            "throttling",
            (Query(_quantile(0.99, "tablesplit_request_seconds", "operation"), "{{operation}}"),),
            steps=((1, "yellow"), (5, "red")),
        ),
        Panel(
            "graph",
            "Retries",
            "Requests that were sent again, by reason.",
            "reqps",
            "throttling",
            (Query(_rate("tablesplit_retries_total", "reason"), "{{reason}}"),),
        ),
        Panel(
            "graph",
            "Waiting on purpose",
            "Share of the time that tasks waited, by reason: they add up over tasks.",
            "percentunit",
            "slow-down",
            (Query(_rate("tablesplit_wait_seconds_total", "reason"), "{{reason}}"),),
        ),
    ),
)

DATA_PLANE = Board(
    "tablesplit-data-plane",
    "tablesplit: Data plane",
    "What is written, how late, and what DynamoDB answers.",
    (CHANGES, REQUESTS),
)
