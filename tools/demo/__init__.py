"""Plays the demo's registry and records it: `python -m tools.demo`, or `make recording`.

Two quarters of a pricing team on a simulated clock: real models are trained on generated portfolios,
logged, registered, approved (or not), promoted, rolled back and deleted through MLflow's own client,
with capture since July. The database at each reading and the model files make the recording that
`auditreg demo` runs on.

`calendar.py` is the story, `violations.py` what is wrong in it, `organisation.py` who acts.
"""
