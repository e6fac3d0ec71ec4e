"""What looks at a target: runs inside it, or over its file tree from outside.

Everything here runs under any Python from 3.8 on with nothing but the standard library, and
imports nothing of venvsmith: `collect.bundle` sends these very sources as one script. They return
plain dicts whose keys are the fields of `model.facts`.
"""
