"""Simulates the migration at scale: a billion items and 500 shards in simulated time, at the costs that ``make bench`` measured."""
