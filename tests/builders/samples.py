"""A sample of four items for forecasts, with figures that are easy to check by hand."""

from collections import Counter

from service.migration.preflight.sample import MappedSample


def mapped_sample(**changed: object) -> MappedSample:
    """Four items: leads of 6 units with an index, a deal of 2 without."""
    mapped_sample = MappedSample(
        items=4,
        mapped=4,
        old_sizes=[4000, 1000, 1000, 2000],
        v2_sizes=[1100, 1100, 2100, 4100],
        index_entries=3,
        index_bytes=4300,
        write_units=Counter(
            {
                ("leads", "", "LEAD"): 6,
                ("leads", "GSI1", "STATUS#new"): 5,
                ("leads", "GSI1", "STATUS#won"): 1,
                ("deals", "", "DEAL"): 2,
            }
        ),
    )
    for name, value in changed.items():
        setattr(mapped_sample, name, value)
    return mapped_sample
