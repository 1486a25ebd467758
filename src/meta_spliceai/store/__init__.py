"""What is on disk: nothing half-written is ever visible, and everything says what it was made from.

atomic        write aside, then rename
fingerprint   parameters and inputs -> identity, from content alone
folder        manifest.json, the lock, and plan -> part -> finalise
staged        the content of a folder replaced, whole or not at all
tables        Parquet and TSV with the schema inside
"""
