"""Alerts, dashboards and the Prometheus that feeds them."""
