"""The auditor's side: every exchange and act found again, by whoever may see it; looking leaves its own trace."""
