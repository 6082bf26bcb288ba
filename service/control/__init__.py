"""What survives a crash: typed records in the control table."""
