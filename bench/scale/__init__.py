"""The migration at scale, simulated: a billion items and 500 shards in simulated time, fed by what ``make bench`` measured."""
