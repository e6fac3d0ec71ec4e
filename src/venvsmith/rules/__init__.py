"""The rules: one file each, its class docstring the page that ``venvsmith explain`` prints."""
