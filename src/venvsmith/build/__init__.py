"""Carrying out plans: through BuildKit, or on this machine without a daemon."""
