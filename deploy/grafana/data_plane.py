"""The dashboard *Data plane*: what is written, with what delay, and how DynamoDB answers."""

from deploy.grafana.boards import Board, Panel, Query, Section

RANGE = "[$__rate_interval]"
THROTTLED = '{result="throttled"}'


def _rate(metric: str, *labels: str, only: str = "") -> str:
    """The rate of a counter, summed up by migration and ``labels``. ``only``: a selector of its series."""
    return f"sum by (migration, {', '.join(labels)}) (rate({metric}{only}{RANGE}))"


def _quantile(share: float, metric: str, label: str) -> str:
    """The quantile ``share`` of a histogram, in seconds; NaN where there are no observations."""
    return f"histogram_quantile({share}, sum by (migration, {label}, le) (rate({metric}_bucket{RANGE})))"


def _written(direction: str) -> str:
    """The rate of the application's own writes among the changes of a direction: the others are tablesplit's, or read again."""
    only = f'{{direction="{direction}", outcome!~"own|carried_back|duplicate"}}'
    return f"sum by (migration) (rate(tablesplit_writes_total{only}{RANGE}))"


CHANGES = Section(
    "Changes",
    8,
    (
        Panel(
            "graph",
            "Changes by outcome",
            "Outcomes of the changes of the streams, in both directions.",
            "cps",
            "watch",
            (
                Query(
                    _rate("tablesplit_writes_total", "direction", "outcome"), "{{migration}} {{direction}} {{outcome}}"
                ),
            ),
            busy=True,
        ),
        Panel(
            "graph",
            "The application's writes by side",
            "Changes that the application made, by the side that it wrote: those that the lanes read, less tablesplit's own.",
            "cps",
            "watch",
            (
                Query(_written("forward"), "{{migration}} old"),
                Query(_written("reverse"), "{{migration}} v2"),
            ),
        ),
        Panel(
            "graph",
            "Age of changes when applied",
            "Time from the write on one side until it is applied on the other: 50 % and 99 % of the changes take at most so long.",
            "s",
            "lag",
            (
                Query(_quantile(0.5, "tablesplit_apply_lag_seconds", "direction"), "{{migration}} {{direction}} half"),
                Query(_quantile(0.99, "tablesplit_apply_lag_seconds", "direction"), "{{migration}} {{direction}} 99 %"),
            ),
            steps=((10, "yellow"), (60, "red")),
        ),
        Panel(
            "graph",
            "Read lag",
            "Age of the newest change that was read: how far the reader is behind.",
            "s",
            "lag",
            (Query("max by (migration, direction) (tablesplit_read_lag_seconds)", "{{migration}} {{direction}}"),),
            steps=((10, "yellow"), (60, "red")),
        ),
        Panel(
            "graph",
            "Backfill by outcome",
            "Old items that were copied, found present (a change had written them already), or put into quarantine.",
            "cps",
            "slow-down",
            (Query(_rate("tablesplit_backfill_items_total", "outcome"), "{{migration}} {{outcome}}"),),
            busy=True,
        ),
        Panel(
            "graph",
            "Tombstones",
            "Tombstones in v2 that were purged, or the reason why they were kept.",
            "cps",
            "clean-up",
            (Query(_rate("tablesplit_tombstones_total", "outcome"), "{{migration}} {{outcome}}"),),
            reach=1,
            busy=True,
        ),
        Panel(
            "graph",
            "Consumed capacity",
            "Capacity units per second, by table.",
            "suffix: units/s",
            "slow-down",
            (
                Query(
                    _rate("tablesplit_consumed_capacity_units_total", "table", "kind"),
                    "{{migration}} {{table}} {{kind}}",
                ),
            ),
            busy=True,
            width=24,
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
            "Every attempt of all processes.",
            "reqps",
            "slow-down",
            (Query(_rate("tablesplit_requests_total", "operation"), "{{migration}} {{operation}}"),),
            busy=True,
        ),
        Panel(
            "graph",
            "Requests that were not answered with ok",
            "condition: the item had a newer write, which is normal. conflict: another transaction was writing the item.",
            "reqps",
            "throttling",
            (Query(_rate("tablesplit_requests_total", "result", only='{result!="ok"}'), "{{migration}} {{result}}"),),
            busy=True,
        ),
        Panel(
            "graph",
            "Throttled",
            "Share of the requests that DynamoDB throttled. The alert TablesplitTargetThrottled fires at 5 %.",
            "percentunit",
            "throttling",
            (
                Query(
                    f"{_rate('tablesplit_requests_total', 'job', only=THROTTLED)} / {_rate('tablesplit_requests_total', 'job')}",
                    "{{migration}} {{job}}",
                ),
            ),
            steps=((0.01, "yellow"), (0.05, "red")),
            reach=0.1,
        ),
        Panel(
            "graph",
            "Time of a request",
            "99 % of the requests take at most so long, by operation.",
            "s",
            "throttling",
            (Query(_quantile(0.99, "tablesplit_request_seconds", "operation"), "{{migration}} {{operation}}"),),
            steps=((1, "yellow"), (5, "red")),
        ),
        Panel(
            "graph",
            "Retries",
            "Requests that were sent again, by reason.",
            "reqps",
            "throttling",
            (Query(_rate("tablesplit_retries_total", "reason"), "{{migration}} {{reason}}"),),
            busy=True,
        ),
        Panel(
            "graph",
            "Waiting on purpose",
            "Share of the time that tasks waited, by reason, added up over all tasks.",
            "percentunit",
            "slow-down",
            (Query(_rate("tablesplit_wait_seconds_total", "reason"), "{{migration}} {{reason}}"),),
            busy=True,
            reach=1,
        ),
    ),
)

DATA_PLANE = Board(
    "tablesplit-data-plane",
    "tablesplit: Data plane",
    "What is written, with what delay, and how DynamoDB answers.",
    (CHANGES, REQUESTS),
)
