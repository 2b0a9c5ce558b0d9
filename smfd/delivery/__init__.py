"""From the ledger to where a message goes."""
