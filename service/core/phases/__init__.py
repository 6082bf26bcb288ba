"""Phases and the moves between them, and the gate that a move has to pass; pure.

Entry points: ``moves.decide``, ``conditions.gate_of``; ``facts.Facts`` is what the gate is judged by.
"""
