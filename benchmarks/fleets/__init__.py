"""A second generator of fleets with their truth, for judging brownout end to end.

Nothing is shared with the product's own simulation: faults act on physical inputs (demand, service times, quotas, path
loss), and the metrics follow from queues, memory budgets and pages that no longer fit.
"""
