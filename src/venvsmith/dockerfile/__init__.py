"""Dockerfiles, read and never run: instructions, variables, shell commands, and what they do.

Pure: text in, values out. The grammar is BuildKit's, ``docs.docker.com/reference/dockerfile``.
"""
