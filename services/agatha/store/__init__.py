"""What the service remembers: tables, units of work and instance files. The only importer of SQLAlchemy.

It decides what is written together and what excludes what (transactions, leases, unique keys). It does not decide
which state follows which (agatha.pipeline.lifecycle) nor what an object means (agatha.dicom, agatha.report).
Callers receive the frozen dataclasses of `records`, never a row that is still attached to a transaction.
"""
