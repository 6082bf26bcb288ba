"""``make soak``: the numbers are options; it prints its seed, its progress and a table, and ends with 1 when anything is lost."""

import asyncio
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import click

from bench.soak.plan import ANY_MOMENT, Plan
from bench.soak.processes import prepare
from bench.soak.run import Soak
from bench.soak.site import use_no_settings_of_ours
from bench.soak.verdict import table
from bench.soak.waits import StuckError
from service.failpoints import NAMES
from service.rehearsal.servers.local_servers import dynamodb_local

FOLDER = Path("build/soak")


@click.command()
@click.option("--kills", default=500, show_default=True, help="kill -9, at failpoints and at random moments.")
@click.option("--pauses", default=200, show_default=True, help="SIGSTOP for longer than a lease.")
@click.option("--faults", default=200, show_default=True, help="Lost answers, throttling, resets, cut answers.")
@click.option("--cycles", default=10, show_default=True, help="forward, dual, reverse, dual, forward.")
@click.option("--seed", type=int, default=None, help="Of everything that is random here.")
@click.option("--lease", default=2.0, show_default=True, help="Seconds of a lease; more on a machine that is busy.")
@click.option("--minutes", default=240.0, show_default=True, help="After these, no further trouble is made.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="For logs.")
def main(seed: int | None, folder: Path, **numbers: Any) -> None:
    """Run a soak. Exit status 1 when a write is lost, a deleted item is there again, or the sides differ, or when it is stuck."""
    seed = random.randrange(10**6) if seed is None else seed
    plan = Plan(seed=seed, **numbers)
    folder = (folder / f"{seed}-{time.strftime('%H%M%S')}").absolute()
    folder.mkdir(parents=True)
    print(f"soak: seed {seed}, logs in {folder}", flush=True)
    use_no_settings_of_ours()
    prepare()
    soak = Soak(plan, lambda line: print(f"{soak.seconds:6.0f} s  {line}", flush=True))
    with dynamodb_local() as server:
        sys.exit(asyncio.run(_outcome(soak, server, folder)))


async def _outcome(soak: Soak, server: str, folder: Path) -> int:
    try:
        verdict = await soak.run(server, folder)
    except StuckError as stuck:
        print(f"soak: STUCK after {soak.done.to_text(soak.plan)}: {stuck}", flush=True)
        return 1
    finally:
        _print_details(soak)
    print(table(soak.plan, soak.done, verdict, soak.seconds))
    print("soak: OK" if verdict.ok else f"{verdict.to_text()}\nsoak: FAILED, seed {soak.plan.seed}", flush=True)
    return 0 if verdict.ok else 1


def _print_details(soak: Soak) -> None:
    done = soak.done
    never = [name for name in NAMES if not done.kills[name] and not done.pauses[name]]
    print(f"kills: {dict(done.kills.most_common())}\npauses: {dict(done.pauses.most_common())}")
    print(f"faults: { {' '.join(name): count for name, count in done.faults.most_common()} }")
    print(f"failpoints never reached: {', '.join(never) or 'none'}; at random: {done.kills[ANY_MOMENT]}")
    print(f"orderly stops: {done.stopped}; ended by themselves: {done.ended or 'none'}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
