"""The LiveKit signaling protocol as a state machine without I/O."""
