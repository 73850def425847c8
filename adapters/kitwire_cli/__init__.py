"""The command `kitwire`: join a room and watch it, mint tokens. Needs the extra `[cli]`."""
