"""``make scale``: runs the simulation, and writes the tables of docs/SCALE.md, docs/scale/*.svg and the results behind them."""

import json

from bench.scale.page import PAGE, PICTURES, RESULTS, filled, pictures
from bench.scale.results import simulated


def main() -> None:
    """Simulate everything, and write the results."""
    results = simulated()
    RESULTS.write_text(json.dumps(results.to_json(), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    for name, picture in pictures(results).items():
        (PICTURES / name).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
