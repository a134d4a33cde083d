"""What `judgebench doctor` finds out: about this machine, models and judges, and files. Prints nothing."""

from judgebench.doctor.environment import Environment, LogState, environment, log_state
from judgebench.doctor.examine import examine
from judgebench.doctor.findings import BadRow, Diagnosis

__all__ = ["BadRow", "Diagnosis", "Environment", "LogState", "environment", "examine", "log_state"]
