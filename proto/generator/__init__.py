"""Writes the schema (`proto/kitwire/*.proto`) and the message classes from LiveKit's official descriptors.

`upstream` reads and prunes the descriptors, `annotations` holds what is ours (comments, privacy), `proto_text`
prints the `.proto` files, `classes` prints the Python package. `proto/generate.py` runs them.
"""
