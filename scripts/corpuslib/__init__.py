"""Build, prove and score the corpus of broken and healthy images."""
