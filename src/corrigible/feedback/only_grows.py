"""Tables of the store whose rows are never changed or deleted."""


def only_grows(table: str, key: str) -> tuple[str, ...]:
    """Triggers that refuse to change or delete a row; the third is for INSERT OR REPLACE, which fires no other."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'feedback is append-only'); END"
    present = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
    return (
        f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_replace BEFORE INSERT ON {table} {present} {refuse}",
    )
