"""Tables that ship with venvsmith, and the code that reads them."""
