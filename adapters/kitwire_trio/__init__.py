"""kitwire under trio."""
