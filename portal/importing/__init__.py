"""Importing contacts from files: read as they come, cut into chunks, saved by the same rules as everywhere.

`examining.receive` keeps a file as a task that examines it and becomes the draft of an import; `running.work` is how a
worker does that. The console examines and takes the chunks by itself. A bad row is kept with its line and the reason,
and loses no good one.
"""
