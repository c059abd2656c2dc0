"""The lock under which one thread at a time runs models for this package.

The mode of a model and PyTorch's random state belong to the process, not to a thread. There is a single lock, whatever
the model, and a thread may take it again: no order of locks can be wrong. No generator yields while it holds the lock:
whoever is asked for its next value later, or never, must not keep others waiting.
"""

from threading import RLock

TURN = RLock()
"""Held while a model is in another mode, is copied, or the global random state is a private one."""
