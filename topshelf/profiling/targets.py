"""What the profile of a start-up and the process that is profiled agree upon."""

READY_PATH = "/health/ready"
QUEUE = "topshelf-profile-startup"
"""A worker that only starts takes nothing that others should do."""
