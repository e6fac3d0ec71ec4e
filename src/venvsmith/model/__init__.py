"""What everything is made of: frozen values, no input or output.

Nothing in this package touches a file, a process or the clock.
"""
