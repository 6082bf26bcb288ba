"""The dashboard *Service health*: whether the processes run, whether they work, and which resources they use."""

from deploy.grafana.boards import Board, Panel, Query, Section, Word

OURS = '{job=~"sync|backfill"}'
FIRING = (
    'max by (migration, alertname) (ALERTS{alertstate="firing", alertname=~"Tablesplit.*"})'
    ' or on () label_replace(vector(0), "alertname", "none", "", "")'
)
UP = {1: Word("up", "green"), 0: Word("down", "red")}

WORKS = Section(
    "Is it there, and does it work",
    6,
    (
        Panel(
            "stat",
            "Answers",
            "Whether Prometheus reaches the process. A backfill is shown while it runs; the dashboard Migration says how it ended.",
            "none",
            "service-down",
            (Query('up{job="sync"} or up{job="backfill"} == 1', "{{migration}} {{job}} {{instance}}"),),
            width=6,
            words=UP,
            rows=True,
        ),
        Panel(
            "stat",
            "Works",
            "Whether the process works, so none of its lanes has stopped. /readyz gives the reason when it does not.",
            "none",
            "service-down",
            (Query(f"tablesplit_ready{OURS}", "{{migration}} {{job}} {{instance}}"),),
            width=6,
            words={1: Word("ready", "green"), 0: Word("NOT READY", "red")},
        ),
        Panel(
            "stat",
            "State of the migration",
            "Whether the control table can be read. While it cannot, the dashboard Migration has no values.",
            "none",
            "service-down",
            (Query("max by (migration) (tablesplit_status_readable)", "{{migration}}"),),
            width=6,
            words={1: Word("readable", "green"), 0: Word("UNREADABLE", "red")},
        ),
        Panel(
            "stat",
            "Lanes stopped",
            "Whether a worker's lane has stopped and no other worker runs it.",
            "none",
            "stalled",
            (Query("max by (migration, direction) (tablesplit_lane_stopped)", "{{migration}} {{direction}}"),),
            width=6,
            words={1: Word("STOPPED", "red"), 0: Word("no", "green")},
            rows=True,
        ),
    ),
)

WHO = Section(
    "Who does what",
    8,
    (
        Panel(
            "table",
            "Versions",
            "Program and mapping of each process. They must agree.",
            "none",
            "start",
            (Query(f"tablesplit_build_info{OURS}", "{{migration}} {{instance}}"),),
            width=8,
        ),
        Panel(
            "graph",
            "Workers",
            "Workers by role. Each direction needs one owner; others stand by, or read too (kcl engine).",
            "none",
            "crash",
            (
                Query(
                    "max by (migration, direction, role) (tablesplit_workers)", "{{migration}} {{direction}} {{role}}"
                ),
            ),
            width=8,
            busy=True,
        ),
        Panel(
            "timeline",
            "Alerts",
            "Alerts that were firing.",
            "none",
            "watch",
            (Query(FIRING, "{{migration}} {{alertname}}"),),
            width=8,
            words={1: Word("firing", "red"), 0: Word("", "green")},
        ),
    ),
)

NEEDS = Section(
    "What it needs",
    8,
    (
        Panel(
            "graph",
            "Processor",
            "Cores in use. One process uses at most one.",
            "percentunit",
            "lag",
            (Query(f"rate(process_cpu_seconds_total{OURS}[$__rate_interval])", "{{migration}} {{job}} {{instance}}"),),
            steps=((0.9, "red"),),
        ),
        Panel(
            "graph",
            "Memory",
            "Resident memory. It is bounded, because every queue is bounded.",
            "bytes",
            "service-down",
            (Query(f"process_resident_memory_bytes{OURS}", "{{migration}} {{job}} {{instance}}"),),
        ),
        Panel(
            "graph",
            "Open files",
            "Share of the files and connections that the process may have open.",
            "percentunit",
            "service-down",
            (Query(f"process_open_fds{OURS} / process_max_fds{OURS}", "{{migration}} {{job}} {{instance}}"),),
            steps=((0.8, "red"),),
        ),
        Panel(
            "graph",
            "Running since",
            "Time since the process started: it falls to zero when the process is restarted.",
            "s",
            "crash",
            (Query(f"time() - process_start_time_seconds{OURS}", "{{migration}} {{job}} {{instance}}"),),
        ),
        Panel(
            "graph",
            "Garbage collections",
            "Garbage collections of Python, by generation.",
            "cps",
            "lag",
            (
                Query(
                    f"sum by (migration, job, generation) (rate(python_gc_collections_total{OURS}[$__rate_interval]))",
                    "{{migration}} {{job}} {{generation}}",
                ),
            ),
            busy=True,
        ),
        Panel(
            "graph",
            "Time to scrape",
            "How long the metrics page takes. Prometheus gives up after 4 s.",
            "s",
            "service-down",
            (Query(f"scrape_duration_seconds{OURS}", "{{migration}} {{job}} {{instance}}"),),
            steps=((4, "red"),),
        ),
    ),
)

SERVICE_HEALTH = Board(
    "tablesplit-service",
    "tablesplit: Service health",
    "Whether the processes run, whether they work, and which resources they use.",
    (WORKS, WHO, NEEDS),
)
