"""What a run has found, by name, for the goals and for the parts that build on it."""

Facts = dict[str, float]
DUAL_FORWARD, DUAL_REVERSE = "a change of the old table in `dual`", "a change of v2 in `dual`"


def against(work: str, program: str) -> str:
    """The name of how many times less CPU tablesplit needs for ``work`` than boto3's ``program``."""
    return f"{work} against {program}"


def ceiling(work: str) -> str:
    """The name of DynamoDB Local's raw ceiling for the writes of ``work``, in items a second."""
    return f"{work}: raw ceiling"


def share(work: str) -> str:
    """The name of tablesplit's share of that ceiling."""
    return f"{work}: share of the raw ceiling"


def lag(rule: str) -> str:
    """The name of the p99 of the lag under a rule, in seconds."""
    return f"{rule} rule: lag p99"


def growth(work: str) -> str:
    """The name of the ratio of peak memory, of the largest table to the smallest."""
    return f"{work}: growth of memory"


def startup(command: str) -> str:
    """The name of a command's CPU, in seconds."""
    return f"{command}: CPU"
