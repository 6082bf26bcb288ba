"""The mapping: from an old item to a v2 item and back."""
