"""Meta-World's 50 tasks (MT50) as a benchmark of one policy: demonstrations, training, evaluation, a report."""
