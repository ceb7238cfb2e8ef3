"""Order, retries and transactions: the flow in `tasks`, its progress in `sweep`, its states in `lifecycle`."""
