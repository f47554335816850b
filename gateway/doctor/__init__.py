"""Looks a deployment over, part by part, and says of each what was found and what to do."""
