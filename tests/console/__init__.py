"""The console page in a real browser, in every state."""
