"""From bytes to records that a mapping can read: XML, JSON, CSV, database rows."""
