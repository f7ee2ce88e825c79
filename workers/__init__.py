"""Celery workers: train, evaluate, precompute, publish, and the schedule that starts them."""
