"""Checks of the doctor: functions from facts to findings, one file for each subject.

The docstring of a check names the fault that it finds.
"""
