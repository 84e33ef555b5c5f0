"""Checks of the doctor: one file a subject, each a function from facts to findings."""
