"""Statistics of judgments. Pure: records in, records out; no files, network, prints or plots."""
