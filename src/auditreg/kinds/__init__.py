"""Every kind of registry row, declared once: columns, types, meanings, what counts as a change.

From the declarations in `registry` follow the staging tables that sources fill (`staging`), and the
fingerprints, bodies, state tables and meanings of the ledger (`auditreg.ledger.kind_sql`).
"""
