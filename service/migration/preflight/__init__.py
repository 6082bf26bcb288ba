"""What can be known before the start, by reading only: a sample of mapped items, the forecast with its cost, and checks.

Entry points: ``checks.run_preflight``, ``forecast_run.run_forecast``.
"""
