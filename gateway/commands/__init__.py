"""What an operator types: one module for each group of `ipx-gateway` commands."""
