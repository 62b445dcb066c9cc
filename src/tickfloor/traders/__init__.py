"""Trader worker: rules and strategies over one tape.

From the bottom: ``language`` (text to a plan), ``columns`` (what rules read), ``matching`` (rules as bits), ``engine``
(records in, signals out). ``state`` is what outlasts an engine, ``strategies`` are users' classes, ``history`` decides
the same plans over closed bars, and the files beside them put it all into a worker.
"""
