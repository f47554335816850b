"""People: who may use the consoles, with which roles, and how they prove who they are."""
