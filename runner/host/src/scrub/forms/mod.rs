//! The ways to write a secret that are searched for, besides escapes of their characters.

mod base64;
mod characters;
mod lines;
mod quoted;

pub(crate) use base64::within as base64_within;
use zeroize::Zeroizing;

pub(super) type Form = Zeroizing<Vec<u8>>;

/// The forms of a value, some of them perhaps twice.
pub(super) fn of(value: &[u8]) -> Vec<Form> {
    let mut forms = whole(value);
    // Stores keep the line end of the file that a secret came from; what uses it goes without.
    let trimmed = value.trim_ascii();
    if trimmed.len() < value.len() && trimmed.len() >= crate::SHORTEST {
        forms.extend(whole(trimmed));
    }
    forms.extend(lines::forms(value));
    forms
}

/// All of a value, in each encoding.
fn whole(value: &[u8]) -> Vec<Form> {
    let mut forms = vec![Zeroizing::new(value.to_vec())];
    forms.push(form(hex::encode(value)));
    forms.push(form(hex::encode_upper(value)));
    forms.extend(base64::forms(value).into_iter().map(form));
    forms.extend(characters::forms(value));
    forms.extend(quoted::forms(value));
    forms
}

fn form(text: String) -> Form {
    Zeroizing::new(text.into_bytes())
}
