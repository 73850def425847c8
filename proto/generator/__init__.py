"""Writes the schema and the message classes from LiveKit's official descriptors.

`upstream` reads and prunes the descriptors, `annotations` reads what is ours (comments, privacy),
`proto_text` prints the .proto files, `classes` and `tables` print the Python package, and `command`
is `python proto/generate.py`.
"""
