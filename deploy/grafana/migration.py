"""The dashboard *Migration*: may we cut over, and if not, why not. Every replica of `sync` exports the same values."""

from deploy.grafana.boards import Board, Colour, Panel, Query, Section, Steps, Word

YES_NO = {1: Word("yes", "green"), 0: Word("no", "red")}
LAG: Steps = ((10, "yellow"), (60, "red"))
"""By default the gate requires less than 10 s; the alert TablesplitLagHigh fires at 60 s."""

ANY: Steps = ((1, "red"),)
HEADROOM: Steps = ((4 * 3600, "yellow"), (12 * 3600, "green"))
"""By default the gate requires 4 h; below that the alert TablesplitRetentionHeadroomLow fires."""


def _count(title: str, description: str, metric: str, step: str, colour: Colour = "red") -> Panel:
    query = Query(f"max by (migration) ({metric})", "{{migration}}")
    return Panel("stat", title, description, "none", step, (query,), width=4, steps=((1, colour),))


def _flag(title: str, description: str, metric: str, step: str, words: dict[int, Word]) -> Panel:
    return Panel(
        "stat",
        title,
        description,
        "none",
        step,
        (Query(f"max by (migration) ({metric})", "{{migration}}"),),
        width=4,
        words=words,
    )


GO_OR_NO_GO = Section(
    "Go or no-go",
    5,
    (
        _flag(
            "Gate",
            "Whether every condition of the next move forward is met. Below: which conditions are not.",
            "tablesplit_gate_open",
            "cut-over",
            {1: Word("OPEN", "green"), 0: Word("CLOSED", "red")},
        ),
        Panel(
            "stat",
            "Conditions not met",
            "How many conditions keep the gate closed.",
            "none",
            "cut-over",
            (
                Query(
                    "sum by (migration) (1 - min by (migration, condition) (tablesplit_gate_condition_met))",
                    "{{migration}}",
                ),
            ),
            width=4,
            steps=ANY,
        ),
        Panel(
            "stat",
            "Phase",
            "prepare, forward (the application writes the old table), dual (both), reverse (v2), complete.",
            "none",
            "start",
            (Query("max by (migration, phase) (tablesplit_phase) == 1", "{{migration}} {{phase}}"),),
            width=4,
            base="blue",
            names=True,
        ),
        Panel(
            "stat",
            "Lag by direction",
            "An upper bound on the age of the oldest change that is not applied yet; not known while no worker owns the lane.",
            "s",
            "lag",
            (Query("max by (migration, direction) (tablesplit_lag_seconds)", "{{migration}} {{direction}}"),),
            width=4,
            steps=LAG,
            rows=True,
        ),
        _flag(
            "Latest validation",
            "Whether the latest full comparison found both sides equal.",
            "tablesplit_validation_equal",
            "validation",
            {1: Word("EQUAL", "green"), 0: Word("DIFFERENT", "red")},
        ),
        Panel(
            "stat",
            "Alerts",
            "Alerts that are firing.",
            "none",
            "watch",
            (Query('count(ALERTS{alertstate="firing", alertname=~"Tablesplit.*"}) or vector(0)', "firing"),),
            width=4,
            steps=ANY,
        ),
        _count("Quarantine", "Keys that cannot be mapped.", "tablesplit_quarantine_keys", "quarantine"),
        _count(
            "Conflicts", "Conflicts and held items that need an operator.", "tablesplit_conflicts_open", "conflicts"
        ),
        Panel(
            "stat",
            "Rogue writes",
            "Writes of an application on the side that it should not write.",
            "none",
            "rogue-writer",
            (Query("max by (migration, side) (tablesplit_rogue_writes)", "{{migration}} on {{side}}"),),
            width=4,
            steps=ANY,
            rows=True,
        ),
        _flag(
            "Changes lost",
            "Whether stream records were lost, or the stream was replaced: a repair is needed.",
            "tablesplit_gap",
            "down-for-a-day",
            {1: Word("YES: repair", "red"), 0: Word("no", "green")},
        ),
        _flag(
            "Hold",
            "Whether an operator keeps the gate closed.",
            "tablesplit_hold",
            "pause",
            {1: Word("held", "orange"), 0: Word("no", "green")},
        ),
        Panel(
            "stat",
            "Headroom",
            "Time until DynamoDB begins to trim changes that are not applied; a stream keeps them for 24 hours.",
            "s",
            "headroom",
            (Query("min by (migration) (tablesplit_retention_headroom_seconds)", "{{migration}}"),),
            width=4,
            base="red",
            steps=HEADROOM,
        ),
    ),
)

GATE = Section(
    "Gate and phase",
    10,
    (
        Panel(
            "timeline",
            "Gate conditions",
            "Each condition of the next move forward, over time. `tablesplit cutover --dry-run` shows its value and the remedy.",
            "none",
            "cut-over",
            (Query("min by (migration, condition) (tablesplit_gate_condition_met)", "{{migration}} {{condition}}"),),
            width=14,
            words={1: Word("met", "green"), 0: Word("not met", "red")},
        ),
        Panel(
            "timeline",
            "Phases",
            "Which phase the migration was in, and whether a move was under way.",
            "none",
            "roll-back",
            (
                Query("max by (migration, phase) (tablesplit_phase)", "{{migration}} {{phase}}"),
                Query("max by (migration) (tablesplit_move_under_way)", "{{migration}} a move is under way"),
            ),
            width=10,
            words={1: Word("yes", "blue"), 0: Word("", "transparent")},
        ),
    ),
)

BACKFILL = Section(
    "Backfill",
    7,
    (
        Panel(
            "stat",
            "State",
            "The backfill: not started, running, stopped before its end, or finished.",
            "none",
            "start",
            (Query("max by (migration, state) (tablesplit_backfill_state) == 1", "{{migration}} {{state}}"),),
            width=4,
            base="blue",
            names=True,
        ),
        Panel(
            "bars",
            "Segments",
            "Segments of the old table: copied to their end, and still open.",
            "none",
            "watch",
            (Query("max by (migration, state) (tablesplit_backfill_segments)", "{{migration}} {{state}}"),),
            width=4,
            base="blue",
        ),
        Panel(
            "stat",
            "Expected to end in",
            "At the present speed; not known while nothing is copied.",
            "s",
            "watch",
            (Query("max by (migration) (tablesplit_backfill_eta_seconds)", "{{migration}}"),),
            width=4,
            base="blue",
        ),
        Panel(
            "stat",
            "Cost",
            "Cost of the backfill so far, over all its restarts, by the price file. `--max-cost` caps it.",
            "currencyUSD",
            "slow-down",
            (Query("max by (migration) (tablesplit_backfill_cost_dollars)", "{{migration}}"),),
            width=4,
            base="blue",
        ),
        Panel(
            "graph",
            "Items done",
            "Old items that were copied, found present, or put into quarantine.",
            "short",
            "watch",
            (Query("max by (migration) (tablesplit_backfill_progress_items)", "{{migration}}"),),
            width=4,
        ),
        Panel(
            "graph",
            "Items a second",
            "Speed of the backfill.",
            "cps",
            "slow-down",
            (Query("max by (migration) (tablesplit_backfill_rate_items_per_second)", "{{migration}}"),),
            width=4,
        ),
    ),
)

STREAMS = Section(
    "Streams",
    8,
    (
        Panel(
            "graph",
            "Lag",
            "An upper bound on the age of the oldest change that is not applied yet. By default the gate requires less than 10 s.",
            "s",
            "lag",
            (Query("max by (migration, direction) (tablesplit_lag_seconds)", "{{migration}} {{direction}}"),),
            steps=LAG,
        ),
        Panel(
            "graph",
            "Expected time to catch up",
            "At the present speed; not known while the lag does not shrink.",
            "s",
            "lag",
            (Query("max by (migration, direction) (tablesplit_catch_up_seconds)", "{{migration}} {{direction}}"),),
        ),
        Panel(
            "timeline",
            "Caught up",
            "Whether every shard is read to its end, and every change applied.",
            "none",
            "stalled",
            (Query("max by (migration, direction) (tablesplit_caught_up)", "{{migration}} {{direction}}"),),
            words=YES_NO,
        ),
        Panel(
            "graph",
            "Shards",
            "Shards of the streams: being read, waiting for their parents, read to their end.",
            "none",
            "stalled",
            (
                Query(
                    "max by (migration, direction, state) (tablesplit_shards)", "{{migration}} {{direction}} {{state}}"
                ),
            ),
            busy=True,
        ),
    ),
)

VERDICTS = Section(
    "Verdicts",
    7,
    (
        Panel(
            "graph",
            "Differences",
            "Differences found by the latest full validation, and by the latest verification of touched keys.",
            "none",
            "validation",
            (
                Query("max by (migration) (tablesplit_validation_differences)", "{{migration}} validation"),
                Query("max by (migration) (tablesplit_verification_differences)", "{{migration}} touched keys"),
            ),
            steps=ANY,
            reach=10,
        ),
        Panel(
            "stat",
            "Age of the latest full validation",
            "By default the gate requires a validation of the last 24 hours.",
            "s",
            "validation",
            (Query("max by (migration) (tablesplit_validation_age_seconds)", "{{migration}}"),),
            width=6,
            steps=((86_400, "red"),),
            unknown="never run",
        ),
        Panel(
            "stat",
            "Touched keys not compared yet",
            "Keys that kept changing, so that they could not be compared.",
            "none",
            "validation",
            (Query("max by (migration) (tablesplit_verification_pending)", "{{migration}}"),),
            width=6,
            base="blue",
            unknown="never run",
        ),
    ),
)

MIGRATION = Board(
    "tablesplit-migration",
    "tablesplit: Migration",
    "May we cut over, and if not, why not.",
    (GO_OR_NO_GO, GATE, BACKFILL, STREAMS, VERDICTS),
)
