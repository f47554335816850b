"""How a department's own system is reached: declarative sources, mapping packs, one module a kind."""
