"""Files and networks of others, and our own, as packed models."""
