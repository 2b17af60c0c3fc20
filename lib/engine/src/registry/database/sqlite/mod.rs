//! The registry in an SQLite file: WAL, synchronous=FULL, one transaction per change.

pub(in crate::registry) mod connections;
pub(in crate::registry) mod copy;
pub(in crate::registry) mod opening;
pub(in crate::registry) mod reading;
pub(in crate::registry) mod schema;
mod statements;

pub(in crate::registry) use statements::{begin, error};
pub(super) use statements::{each, execute, first, insert};

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use time::OffsetDateTime;

    use crate::registry::{Registry, RegistryError};

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn another_programs_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(Registry::open(&path, NOW), Err(RegistryError::NotARegistry(_))));
        std::fs::write(&path, "no database, but long enough to look like one".repeat(40)).unwrap();
        assert!(matches!(Registry::open(&path, NOW), Err(RegistryError::NotARegistry(_))));
    }

    #[test]
    fn a_new_registry_has_large_pages() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join("r"), NOW).unwrap();
        let of = |name| -> i64 {
            registry.connection().unwrap().pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert_eq!((of("page_size"), of("wal_autocheckpoint")), (8192, 4096));
    }

    #[test]
    fn a_later_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.sqlite");
        let registry = Registry::open(&path, NOW).unwrap();
        registry.connection().unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Registry::open(&path, NOW), Err(RegistryError::TooNew { found: 99, .. })));
    }
}
