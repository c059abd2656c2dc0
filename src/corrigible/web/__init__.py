"""The review page: routes, security and the stream of events, and no logic; `workflow.reviews` answers."""
