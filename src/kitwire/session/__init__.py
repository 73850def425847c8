"""The session: what the client's side of the protocol decides, over WebSocket messages."""
