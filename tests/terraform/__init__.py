"""Terraform: the module's own tests, what it applies, and what its roles may call."""
