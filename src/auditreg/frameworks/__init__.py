"""Supervisors' texts, clause by clause, and which rules and fields bear on each."""
