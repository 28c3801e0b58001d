"""Files that wait for another person's look before whoever asked for them may open them."""
