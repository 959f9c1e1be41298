//! The file format of compiled code: a magic, an HMAC over what it is and the code, the code.
//! The only maker of [`Authentic`], so nothing else can be handed to the loader.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::identity::Identity;
use super::key::HostKey;

const MAGIC: &[u8; 16] = b"wharf compiled 1";
const TAG: usize = 32;

/// Compiled code that this host wrote for exactly this component and engine.
pub(super) struct Authentic<'a>(&'a [u8]);

impl<'a> Authentic<'a> {
    pub(super) fn code(&self) -> &'a [u8] {
        self.0
    }
}

pub(super) fn seal(code: &[u8], key: &HostKey, identity: &Identity) -> Vec<u8> {
    let tag = mac(code, key, identity).finalize().into_bytes();
    [MAGIC.as_slice(), tag.as_slice(), code].concat()
}

/// The code in these bytes, if the tag over it is this host's. The comparison takes the same time
/// wherever the tags differ.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    key: &HostKey,
    identity: &Identity,
) -> Option<Authentic<'a>> {
    let (tag, code) = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.split_at_checked(TAG))?;
    mac(code, key, identity).verify_slice(tag).ok()?;
    Some(Authentic(code))
}

fn mac(code: &[u8], key: &HostKey, identity: &Identity) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    mac.update(MAGIC);
    mac.update(identity.component.as_bytes());
    mac.update(identity.engine.as_bytes());
    // Both have a length of their own before them, so that no two identities read the same.
    for part in [&identity.arch, &identity.os] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.update(code);
    mac
}
