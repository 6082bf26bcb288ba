"""What runs beside a lane: tombstones purged, ledger trimmed, touched keys compared again."""
