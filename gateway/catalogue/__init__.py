"""The record catalogue for callers: which types there are, with their groups and fields."""
