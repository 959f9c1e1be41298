//! Every document that differs from a good one in one place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A changed document: where, how, and the JSON of it.
pub struct Changed {
    pub at: String,
    pub how: String,
    pub json: Value,
}

/// What a reader makes of a changed document.
pub enum Taken {
    /// Nothing.
    Refused,
    /// What it must or may.
    Rightly,
    /// What it must not: which change that was, and what else tells of it.
    Wrongly(String),
}

/// Goes through all changes, of which there must be more than `least`. None may be taken wrongly.
pub fn none_is_taken_wrongly(least: usize, all: impl Iterator<Item = Taken>) {
    let (mut count, mut rightly) = (0, 0);
    let mut wrongly = Vec::new();
    for taken in all {
        count += 1;
        match taken {
            Taken::Refused => {}
            Taken::Rightly => rightly += 1,
            Taken::Wrongly(what) => wrongly.push(what),
        }
    }
    println!("{count} changes, {rightly} of them taken");
    assert!(
        wrongly.is_empty(),
        "{} of {count} are taken wrongly:\n{}",
        wrongly.len(),
        wrongly.join("\n")
    );
    assert!(count > least, "only {count}");
}

/// Every place in a document, as JSON pointers, the root not among them.
pub fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    let mut visit = |key: &str, inner: &Value| {
        let place = format!("{at}/{}", escaped(key));
        places(inner, &place, into);
        into.push(place);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| visit(key, inner)),
        Value::Array(items) => {
            let indexed = items.iter().enumerate();
            indexed.for_each(|(index, inner)| visit(&index.to_string(), inner));
        }
        _ => {}
    }
}

/// Positions in something of that length: all of them, or about so many evenly apart.
fn positions(length: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by((length / count).max(1))
}

/// The values that one value is replaced by.
fn replacements(value: &Value, count: usize) -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("A"),
        json!("AAAA"),
        json!([]),
        json!({}),
        json!([value]),
        json!({ "value": value }),
    ]
    .into_iter()
    .map(|other| (format!("is {other:.20}"), other))
    .collect();
    match value {
        Value::String(text) => all.extend(texts(text, count)),
        Value::Array(items) => {
            let mut twice = items.clone();
            twice.extend(items.clone());
            all.push(("is twice as long".to_owned(), Value::Array(twice)));
        }
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("surprise".to_owned(), json!(1));
            all.push(("has one field more".to_owned(), Value::Object(more)));
            // In every order: one of them is that of the fields of a struct.
            for order in orders(fields.values().cloned().collect()) {
                all.push(("is a list of its values".to_owned(), Value::Array(order)));
            }
        }
        _ => {}
    }
    all.retain(|(_, other)| other != value);
    all
}

/// All orders of up to four values, and the ones that there are of more.
fn orders(values: Vec<Value>) -> Vec<Vec<Value>> {
    if values.len() > 4 {
        return vec![values];
    }
    let Some((first, rest)) = values.split_first() else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for order in orders(rest.to_vec()) {
        for at in 0..=order.len() {
            let mut with = order.clone();
            with.insert(at, first.clone());
            all.push(with);
        }
    }
    all
}

fn texts(text: &str, count: usize) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut add = |how: String, text: String| all.push((how, Value::String(text)));
    add("ends with a space".to_owned(), format!("{text} "));
    add("begins with a space".to_owned(), format!(" {text}"));
    add("ends with a line feed".to_owned(), format!("{text}\n"));
    add(
        "is padded less".to_owned(),
        text.trim_end_matches('=').to_owned(),
    );
    add("is padded more".to_owned(), format!("{text}="));
    add(
        "is url-safe".to_owned(),
        text.replace('+', "-").replace('/', "_"),
    );
    add("is upper case".to_owned(), text.to_uppercase());
    add("is lower case".to_owned(), text.to_lowercase());
    if let Ok(number) = text.parse::<i128>() {
        for other in [
            number + 1,
            number - 1,
            0,
            -number,
            i128::from(i64::MAX),
            i128::from(u64::MAX),
        ] {
            add(format!("is {other}"), other.to_string());
        }
        add("has a zero before".to_owned(), format!("0{text}"));
        add("has a plus".to_owned(), format!("+{text}"));
    }
    for at in positions(text.len(), count) {
        if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
            let mut other = text.to_owned();
            let new = if &text[at..=at] == "B" { "C" } else { "B" };
            other.replace_range(at..=at, new);
            add(format!("has another letter at {at}"), other);
            let mut shorter = text.to_owned();
            shorter.remove(at);
            add(format!("has no letter at {at}"), shorter);
        }
    }
    if let Ok(bytes) = STANDARD.decode(text) {
        for at in positions(bytes.len(), count) {
            for bit in [0, 7] {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                add(
                    format!("has bit {bit} of byte {at} flipped"),
                    STANDARD.encode(other),
                );
            }
        }
        add(
            "has a byte more".to_owned(),
            STANDARD.encode([&bytes[..], &[0]].concat()),
        );
        if let Some((_, shorter)) = bytes.split_last() {
            add("has a byte less".to_owned(), STANDARD.encode(shorter));
        }
    }
    all
}

/// All changes of a document, the longer texts in it changed at about a hundred places each.
pub fn changes(of: &Value) -> impl Iterator<Item = Changed> {
    changes_at(of, 100)
}

/// The same with that many places.
pub fn changes_at(of: &Value, count: usize) -> impl Iterator<Item = Changed> {
    let mut all = Vec::new();
    places(of, "", &mut all);
    let mut more = of.clone();
    more["surprise"] = json!(1);
    let more = Changed {
        at: String::new(),
        how: "has one field more".to_owned(),
        json: more,
    };
    // One after the other: all at once they are large.
    let changed = all
        .into_iter()
        .flat_map(move |at| changes_of(of, &at, count).collect::<Vec<_>>());
    changed.chain([more])
}

/// The document with the one value at that place replaced, and without it.
fn changes_of(of: &Value, at: &str, count: usize) -> impl Iterator<Item = Changed> {
    let replaced = replacements(of.pointer(at).unwrap(), count)
        .into_iter()
        .map(move |(how, value)| {
            let mut json = of.clone();
            *json.pointer_mut(at).unwrap() = value;
            (how, json)
        });
    let (parent, key) = at.rsplit_once('/').unwrap();
    let mut without = of.clone();
    match without.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(&unescaped(key))),
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        _ => unreachable!("only these have places in them"),
    }
    let all = replaced.chain([("is gone".to_owned(), without)]);
    all.map(move |(how, json)| Changed {
        at: at.to_owned(),
        how,
        json,
    })
}

/// A name as JSON pointers have it, and back.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

/// Nothing, in any of the ways to write it.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}
