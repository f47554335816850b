"""What comes in from holders: records they push, records that cannot be served, runs that follow a source."""
