"""What can be known before the start: sample, forecast, cost, checks."""
