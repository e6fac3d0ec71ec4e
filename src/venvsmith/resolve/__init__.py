"""From requirements to locks: one protocol for resolvers, and the joint resolution over it."""

from venvsmith.resolve.asked import LockOptions
from venvsmith.resolve.check import check_offered, check_project, refuse_drift, refuse_drift_of
from venvsmith.resolve.outcome import LockChange, LockReport
from venvsmith.resolve.progress import Work
from venvsmith.resolve.run import lock_project
from venvsmith.resolve.surroundings import default_index

__all__ = [
    "LockChange",
    "LockOptions",
    "LockReport",
    "Work",
    "check_offered",
    "check_project",
    "default_index",
    "lock_project",
    "refuse_drift",
    "refuse_drift_of",
]
