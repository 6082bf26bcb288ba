"""What a lane passes its changes to, by the rule in force.

Entry points: ``guarded.GuardedSink``, ``forward.ForwardSink``, ``reverse.ReverseSink``, ``before_dual.RogueWriteSink`` and
``before_dual.EnteringSink``.
"""
