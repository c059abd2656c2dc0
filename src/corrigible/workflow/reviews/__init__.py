"""What somebody who reviews items sees and says, as the review page and the notebook show it; no HTTP, no HTML.

What needs PyTorch runs in a process of its own (`looker`), so that saving an answer never waits for a model.
"""
