"""The parts of the benchmark: each measures one subject, and gives a section of docs/BENCH.md."""
