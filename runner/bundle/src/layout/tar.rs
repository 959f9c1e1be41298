//! Tar, as little of it as an image layout needs: regular files with short names.
//!
//! Links, devices, extended headers, sparse files: there is no code for them, so they cannot be
//! used for anything. Every byte that is read counts, padding included.

use std::io::{self, Read, Write};

use super::LayoutError;

const BLOCK: usize = 512;
/// What comes after the end, in bytes: tar programs fill up to their record size.
const MAX_PADDING: usize = 1 << 16;

const NAME: std::ops::Range<usize> = 0..100;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const TYPE: usize = 156;
const MAGIC: std::ops::Range<usize> = 257..265;
const PREFIX: std::ops::Range<usize> = 345..500;

/// Appends a file.
pub(super) fn append(out: &mut impl Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = header.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    if name.len() >= NAME.len() {
        return Err(io::Error::other("a name is too long for a tar header"));
    }
    put(NAME.start, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(SIZE.start, format!("{:011o}\0", bytes.len()).as_bytes());
    put(136, b"00000000000\0");
    put(TYPE, b"0");
    put(MAGIC.start, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum = checksum(&header);
    header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.write_all(&header)?;
    out.write_all(bytes)?;
    out.write_all(&[0; BLOCK][..padding(bytes.len() as u64)])
}

/// Ends the archive.
pub(super) fn finish(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// The sum of all bytes, with spaces in place of the sum itself.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = header[CHECKSUM].iter().map(|byte| u32::from(*byte)).sum();
    sum - own + 8 * u32::from(b' ')
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

/// The head of an entry; its bytes follow.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) size: u64,
}

/// Reads an archive once, from its begin to its end.
pub(super) struct Reader<R> {
    from: R,
    offset: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, offset: 0 }
    }

    /// The next entry. Its bytes must be read before the one after it. `None` at the end, which is
    /// two blocks of zeros and nothing but zeros after them.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, LayoutError> {
        let at = self.offset;
        let header = self.block()?;
        if header == [0; BLOCK] {
            self.end()?;
            return Ok(None);
        }
        parse(&header)
            .map(Some)
            .map_err(|why| LayoutError::Tar { offset: at, why })
    }

    /// The bytes of the entry that was read last.
    pub(super) fn bytes(&mut self, size: u64) -> Result<Vec<u8>, LayoutError> {
        let mut bytes = Vec::new();
        // Grows with what comes, not with what is promised.
        let came = (&mut self.from).take(size).read_to_end(&mut bytes)? as u64;
        self.offset += came;
        if came != size {
            return Err(self.bad("it ends in the middle of an entry"));
        }
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(size)];
        self.exact(rest)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(self.bad("the padding after an entry is not empty"));
        }
        Ok(bytes)
    }

    fn end(&mut self) -> Result<(), LayoutError> {
        if self.block()? != [0; BLOCK] {
            return Err(self.bad("an entry follows the end"));
        }
        let mut rest = Vec::new();
        (&mut self.from)
            .take(MAX_PADDING as u64 + 1)
            .read_to_end(&mut rest)?;
        if rest.len() > MAX_PADDING || rest.iter().any(|byte| *byte != 0) {
            return Err(self.bad("something follows the end"));
        }
        Ok(())
    }

    fn block(&mut self) -> Result<[u8; BLOCK], LayoutError> {
        let mut block = [0; BLOCK];
        self.exact(&mut block)?;
        Ok(block)
    }

    fn exact(&mut self, into: &mut [u8]) -> Result<(), LayoutError> {
        match self.from.read_exact(into) {
            Ok(()) => {
                self.offset += into.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.bad("it ends too early"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn bad(&self, why: &str) -> LayoutError {
        LayoutError::Tar {
            offset: self.offset,
            why: why.to_owned(),
        }
    }
}

fn parse(header: &[u8; BLOCK]) -> Result<Entry, String> {
    let sum = format!("{:06o}\0 ", checksum(header));
    if &header[CHECKSUM] != sum.as_bytes() {
        return Err("the checksum of an entry is wrong".to_owned());
    }
    if !matches!(&header[MAGIC], b"ustar\x0000" | b"ustar  \0") {
        return Err("it is not a tar file of the ustar kind".to_owned());
    }
    let kind = match header[TYPE] {
        b'0' => Kind::File,
        b'5' => Kind::Folder,
        b'1' | b'2' => return Err("an entry is a link; there are none in a layout".to_owned()),
        _ => return Err("an entry is neither a file nor a folder".to_owned()),
    };
    if header[PREFIX].first() != Some(&0) {
        return Err("the name of an entry is too long for a layout".to_owned());
    }
    let name = header[NAME]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| "the name of an entry is not text")?;
    let size = octal(&header[SIZE]).ok_or("the size of an entry is not a number")?;
    if kind == Kind::Folder && size != 0 {
        return Err("a folder has content".to_owned());
    }
    Ok(Entry {
        name: name.to_owned(),
        kind,
        size,
    })
}

/// Eleven octal digits and an end; other ways to write a size are not read.
fn octal(field: &[u8]) -> Option<u64> {
    let (digits, end) = field.split_at_checked(11)?;
    if !matches!(end, [0] | [b' ']) || !digits.iter().all(|byte| matches!(byte, b'0'..=b'7')) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}
