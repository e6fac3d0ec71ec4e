"""What a frozen application holds: PyInstaller's archives, read without running or unmarshalling.

`read_bundle` opens a folder or a single file; `examine` tells what its code wants and it lacks.
"""
