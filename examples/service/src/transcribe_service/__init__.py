"""A small service around faster-whisper."""
