"""The durable engine: every paid response is committed before it is used; retries, limits and budgets stand in one place."""
