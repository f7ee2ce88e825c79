"""One machine: every service under one supervisor, and the demo that runs on it."""
