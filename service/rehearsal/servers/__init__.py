"""Local servers for the demonstration, the tests and the benchmark."""
