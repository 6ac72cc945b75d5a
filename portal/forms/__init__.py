"""What people type into pages: the fields, and what is wrong with them in the reader's language."""
