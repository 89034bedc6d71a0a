-- A message's tags, a JSON object of texts; NULL for none. The version before this one neither writes
-- nor reads the column, so both may run beside each other.
ALTER TABLE item ADD COLUMN tags bytea;
