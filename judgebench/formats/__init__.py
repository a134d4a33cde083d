"""Files of ours and of other tools, to and from records."""
