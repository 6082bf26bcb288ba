"""Kubernetes: the Helm chart, linted, rendered, and held to Kubernetes's own schemas."""
