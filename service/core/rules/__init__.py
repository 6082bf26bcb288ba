"""The rules by which tablesplit writes, before and after both sides may be written, and by which both sides are compared.

Entry points: ``guarded`` (the rule before the first `dual`), ``forward.forward_plan`` and ``reverse.reverse_plan`` (the ledger
rule), ``redrive.redrive``, ``redrive.resolution_writes``, ``purge.may_purge``, ``verdict.judge``, ``agreement.agree``,
``repair.repair_plan``.
"""
