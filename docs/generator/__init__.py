"""Writes reference pages from the code: docstrings, tables, and functions run on samples.

* :mod:`docs.generator.source`: reads classes and their fields, with their docstrings.
* :mod:`docs.generator.text`: docstrings as Markdown, tables.
* :mod:`docs.generator.events_page`, :mod:`docs.generator.errors_page`,
  :mod:`docs.generator.state_machine_page`: one page each.
* :mod:`docs.generator.command`: the command.
"""
