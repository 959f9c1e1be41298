use ulid::Ulid;
use wharf_protocol::ExecutionId;

use super::*;

fn entry(message: &str) -> LogEntry {
    LogEntry {
        time_ms: 1,
        level: Level::Warn,
        message: message.to_owned(),
        fields: vec![("k".to_owned(), "v".to_owned())],
    }
}

#[test]
fn repeated_lines_are_kept_once_and_missing_ones_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut table = LogTable::open(&path).unwrap();
    let key = AttemptKey {
        execution: ExecutionId::from_ulid(Ulid::from_parts(1, 1)),
        attempt: 1,
    };
    for (first, lines) in [
        (0, vec!["a", "b"]),
        (1, vec!["b", "c"]),
        (0, vec!["a"]),
        (5, vec!["f"]),
    ] {
        let entries = lines.into_iter().map(entry).collect();
        let log = table.state(key).unwrap();
        table.append(&mut [(key, first, entries, log)]).unwrap();
    }
    let (lines, log) = LogReader::open(&path).unwrap().read(key, 1, 10).unwrap();
    let texts: Vec<_> = lines
        .iter()
        .map(|line| (line.number, line.entry.message.as_str()))
        .collect();
    assert_eq!(texts, [(1, "b"), (2, "c"), (5, "f")]);
    assert_eq!(lines[0].entry, entry("b"));
    assert_eq!((log.next, log.dropped), (6, 2));
}

#[test]
fn an_attempt_that_writes_too_much_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let mut table = LogTable::open(&path).unwrap();
    let key = AttemptKey {
        execution: ExecutionId::from_ulid(Ulid::from_parts(1, 1)),
        attempt: 1,
    };
    let long = "x".repeat(1 << 20);
    for number in 0..20 {
        let log = table.state(key).unwrap();
        table
            .append(&mut [(key, number, vec![entry(&long)], log)])
            .unwrap();
    }
    let (lines, log) = LogReader::open(&path).unwrap().read(key, 0, 100).unwrap();
    assert_eq!(lines.len(), 15);
    assert_eq!((log.next, log.dropped), (20, 5));
}
