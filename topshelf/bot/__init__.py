"""The polling bot: asks a reader for lists as fast as it can, or at a rate, and counts what comes."""
