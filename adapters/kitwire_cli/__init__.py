"""The `kitwire` command."""
