"""Worker processes: a function that may be slow, crash or hang, applied to many items.

`pool` has the processes, `cache` a pool that computes each distinct item once. A worker imports
this package and the function, and neither JAX nor NumPy.
"""
