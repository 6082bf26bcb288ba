"""What can be known before the start, by reading only: a sample mapped on trial, the forecast with its cost, and checks.

Entry points: ``checks.run_preflight``, ``forecast_run.run_forecast``.
"""
