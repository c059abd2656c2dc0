"""Audits of any model that predicts from a table: what it gets wrong for whom, and what it may rely on by mistake.

`corrigible.audit` asks a model, or any function of a frame, and reads nothing but its answers. Each file measures one
thing and returns facts; `sections` says them in words, `audited` holds them all.
"""
